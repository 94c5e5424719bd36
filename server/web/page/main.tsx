// The page begins here: the frame is drawn at once, what it shows comes from the browser's store and from the daemon.
import { render } from "preact";
import { Frame } from "./shell/frame";

render(<Frame />, document.getElementById("app")!);
