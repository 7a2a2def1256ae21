// A CGI program: one process for each request, the answer on stdout.

function head(status: string, kind: string = "text/plain"): void {
  process.stdout.write("Status: " + status + "\r\nContent-Type: " + kind + "\r\n\r\n");
}

function echo(): void {
  const kind = process.env.has("CONTENT_TYPE") ? process.env.get("CONTENT_TYPE") : "";
  head("200 OK", kind.length > 0 ? kind : "application/octet-stream");
  const piece = new ArrayBuffer(16384);
  let got = process.stdin.read(piece);
  while (got > 0) {
    process.stdout.write(piece.slice(0, got));
    got = process.stdin.read(piece);
  }
}

function random(): string {
  const bytes = new Uint8Array(16);
  crypto.getRandomValues(bytes);
  let digits = "";
  for (let at = 0; at < bytes.length; at++) digits += bytes[at].toString(16).padStart(2, "0");
  return digits;
}

function answer(method: string, path: string): void {
  process.stderr.write(method + " " + path + "\n");
  if (path == "/") {
    head("200 OK");
    process.stdout.write("Hello from AssemblyScript on Virga\n");
  } else if (path.startsWith("/env/")) {
    const name = path.substring(5);
    const isThere = process.env.has(name);
    head(isThere ? "200 OK" : "404 Not Found");
    process.stdout.write(isThere ? process.env.get(name) : "no such variable\n");
  } else if (path == "/echo" && method == "POST") {
    echo();
  } else if (path == "/stream") {
    head("200 OK");
    for (let number = 1; number <= 5; number++) process.stdout.write("chunk " + number.toString() + "\n");
  } else if (path == "/random") {
    head("200 OK");
    process.stdout.write(random() + "\n");
  } else if (path == "/count") {
    // Each request is a process of its own.
    head("200 OK");
    process.stdout.write("1\n");
  } else {
    head("404 Not Found");
    process.stdout.write("404: nothing at " + path + "\n");
  }
}

if (process.env.has("REQUEST_METHOD")) {
  const path = process.env.has("PATH_INFO") ? process.env.get("PATH_INFO") : "";
  answer(process.env.get("REQUEST_METHOD"), path.length > 0 ? path : "/");
} else {
  console.log("task done " + process.argv.slice(1).join(" "));
}
