"""A session of the official openai client over HTTPS with a certificate authority of our own: models, a stream, and a file's whole life. Then what must not
work: another authority, plain HTTP, and certificates that cannot be used.
"""

import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request

import openai

from checks import check, run_checks
from daemon import Daemon, required


def make_certificates(directory):
    """ca.pem, and server.pem with server.key for 127.0.0.1 and localhost; other.pem is another authority."""
    def run(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for name in ("ca", "other"):
        run("req", "-x509", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN=hearth test {name}",
            "-addext", "keyUsage=critical,keyCertSign")
    run("req", *new_key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    with open(f"{directory}/names", "w") as names:
        names.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "names")


def client_of(daemon, ca):
    return openai.OpenAI(base_url=daemon.url + "/v1", api_key="none", max_retries=0, http_client=openai.DefaultHttpxClient(verify=ssl.create_default_context(cafile=ca)))


@check
def a_stream_comes_whole(client, daemon, _):
    assert [model.id for model in client.models.list()] == [Daemon.model]
    chunks = list(client.chat.completions.create(model=Daemon.model, messages=[{"role": "user", "content": "Count to five."}], max_tokens=8, stream=True))
    assert chunks[-1].choices[0].finish_reason in ("length", "stop") and any(chunk.choices[0].delta.content for chunk in chunks)


@check
def a_file_comes_back_as_it_was(client, daemon, _):
    content = b'{"messages": []}\n' * 200_000  # 3.4 MB
    file = client.files.create(file=("r\u00e9sum\u00e9 \"1\".jsonl", content), purpose="fine-tune", expires_after={"anchor": "created_at", "seconds": 3600})
    assert file.id.startswith("file-") and file.bytes == len(content) and file.filename == "r\u00e9sum\u00e9 \"1\".jsonl" and file.status == "processed", file
    assert file.expires_at == file.created_at + 3600
    assert client.files.wait_for_processing(file.id).id == file.id
    assert client.files.content(file.id).read() == content
    others = [client.files.create(file=("x", b"1"), purpose="batch").id for _ in range(3)]
    assert [one.id for one in client.files.list(limit=2)] == [*reversed(others), file.id]  # pages to the end
    assert [one.id for one in client.files.list(purpose="fine-tune", order="asc")] == [file.id]
    assert client.files.delete(file.id).deleted
    try:
        client.files.retrieve(file.id)
        raise AssertionError("a deleted file was retrieved")
    except openai.NotFoundError as error:
        assert error.code == "not_found"
    try:
        client.files.create(file=("x", b"1"), purpose="fun")
        raise AssertionError("a wrong purpose was taken")
    except openai.BadRequestError as error:
        assert error.param == "purpose"


@check
def who_does_not_know_the_authority_is_not_served(_, daemon, directory):
    try:
        client_of(daemon, f"{directory}/other.pem").models.list()
        raise AssertionError("another authority's certificate was accepted")
    except openai.APIConnectionError:
        pass


@check
def plain_http_is_told_to_use_https(_, daemon, directory):
    try:
        urllib.request.urlopen(daemon.url.replace("https", "http") + "/v1/models", timeout=20)
        raise AssertionError("plain HTTP was answered")
    except urllib.error.HTTPError as error:
        assert error.code == 400 and b"https" in error.read()


@check
def certificates_that_cannot_be_used_are_one_line(_, daemon, directory):
    for certificate, key in (("none.pem", "server.key"), ("server.key", "server.key"), ("server.pem", "other.key"), ("server.pem", None)):
        options = ["--tls-certificate", f"{directory}/{certificate}"] + (["--tls-key", f"{directory}/{key}"] if key else [])
        command = [required("HEARTH_BINARY"), "serve", "--model", required("HEARTH_DEFAULT_MODEL"), "--port", "0", "--state-dir", f"{directory}/state", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        errors = [line for line in done.stderr.splitlines() if "tls_" in line]
        assert done.returncode in (1, 2) and len(errors) == 1 and "Traceback" not in done.stderr, (certificate, key, done)


def main():
    with tempfile.TemporaryDirectory() as directory:
        make_certificates(directory)
        with Daemon("--tls-certificate", f"{directory}/server.pem", "--tls-key", f"{directory}/server.key", ca=f"{directory}/ca.pem") as daemon:
            client = client_of(daemon, f"{directory}/ca.pem")
            run_checks(client, daemon, directory)


main()
