"""A server of OpenAI's chat API that says what it is told to, for what no model says on demand."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class CannedServer:
    def __init__(self, model, answers, breaks_after):
        """`answers`: pieces of text for each request, the last one's for all that follow; from number `breaks_after` on the connection breaks after the pieces."""
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps({"data": [{"id": model}]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                number = len(outer.asked)
                outer.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.protocol_version = "HTTP/1.1"
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in answers[min(number, len(answers) - 1)]:
                    self.event({"choices": [{"delta": {"content": piece}}]})
                if number >= breaks_after:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
                self.wfile.write(b"0\r\n\r\n")

            def event(self, data):
                text = f"data: {json.dumps(data)}\n\n".encode()
                self.wfile.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
                self.wfile.flush()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
