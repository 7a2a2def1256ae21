//! A server, a worker and a command in one program, with the standard library alone: it listens on `$PORT`, speaks HTTP/1.1 and
//! WebSocket, echoes whatever is neither, and does as its arguments say.

mod websocket;

use std::{
    env,
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    process, thread,
    time::Duration,
};

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        [] | ["serve"] => serve(),
        ["exit", status] => process::exit(status.parse().unwrap()),
        ["print", words @ ..] => println!("{}", words.join(" ")),
        ["arguments"] => println!("{arguments:?}"),
        ["environment"] => env::vars().for_each(|(name, value)| println!("{name}={value}")),
        ["trap"] => trap(),
        ["spin"] => spin(),
        ["allocate"] => allocate(),
        ["wait"] => loop {
            println!("waiting");
            thread::sleep(Duration::from_secs(3600));
        },
        other => {
            eprintln!("unknown: {other:?}");
            process::exit(64);
        }
    }
}

fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

fn spin() -> ! {
    println!("spinning");
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

fn allocate() -> ! {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![1_u8; 1 << 20]);
    }
}

/// One connection and what has been read from it.
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    Unknown,
    WebSocket,
    Echo,
}

/// One thread, so everything is non-blocking: connections are looked at in turn.
fn serve() {
    let port: u16 = env::var("PORT").unwrap().parse().unwrap();
    let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    println!("listening on {}", listener.local_addr().unwrap());
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let mut is_busy = false;
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true).unwrap();
            connections.push(Connection { stream, read: Vec::new(), kind: Kind::Unknown });
            is_busy = true;
        }
        connections.retain_mut(|connection| {
            let mut piece = [0; 16 << 10];
            match connection.stream.read(&mut piece) {
                Ok(0) => false,
                Ok(bytes) => {
                    is_busy = true;
                    connection.read.extend_from_slice(&piece[..bytes]);
                    connection.advance()
                }
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
        });
        if !is_busy {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Connection {
    /// Does what can be done with what was read; `false` closes.
    fn advance(&mut self) -> bool {
        match self.kind {
            Kind::Unknown if !self.read[0].is_ascii_uppercase() => {
                self.kind = Kind::Echo;
                self.advance()
            }
            Kind::Unknown => self.requests(),
            Kind::Echo => {
                let read = std::mem::take(&mut self.read);
                self.write(&read)
            }
            Kind::WebSocket => {
                let (answer, goes_on) = websocket::answer(&mut self.read);
                self.write(&answer) && goes_on
            }
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(1)),
                Err(_) => return false,
            }
        }
        true
    }

    /// Answers every whole request.
    fn requests(&mut self) -> bool {
        loop {
            let Some(head_end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") else { return true };
            let head = String::from_utf8_lossy(&self.read[..head_end]).into_owned();
            let header = |name: &str| {
                head.lines()
                    .skip(1)
                    .filter_map(|line| line.split_once(": "))
                    .find(|(known, _)| known.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            };
            let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
            if self.read.len() < head_end + 4 + length {
                return true;
            }
            let body: Vec<u8> = self.read.drain(..head_end + 4 + length).skip(head_end + 4).collect();
            let target = head.split(' ').nth(1).unwrap_or("/");
            if let Some(key) = header("sec-websocket-key") {
                let answer = websocket::handshake(key);
                self.kind = Kind::WebSocket;
                return self.write(answer.as_bytes()) && (self.read.is_empty() || self.advance());
            }
            let (status, text) = answer(target, &head, body);
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", text.len());
            if !(self.write(head.as_bytes()) && self.write(&text)) {
                return false;
            }
        }
    }
}

fn answer(target: &str, head: &str, body: Vec<u8>) -> (&'static str, Vec<u8>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/" => ("200 OK", format!("Hello from instance {}\n", env::var("CF_INSTANCE_INDEX").unwrap_or_default()).into_bytes()),
        "/echo" => ("200 OK", body),
        "/head" => ("200 OK", head.as_bytes().to_vec()),
        "/exit" => process::exit(query.parse().unwrap()),
        "/trap" => trap(),
        "/spin" => spin(),
        "/allocate" => allocate(),
        "/connect" => ("200 OK", outcome(TcpStream::connect(query).map(drop))),
        "/bind" => ("200 OK", outcome(TcpListener::bind(query).map(drop))),
        "/fetch" => ("200 OK", fetch(query)),
        _ => ("404 Not Found", b"no such path\n".to_vec()),
    }
}

fn outcome(result: std::io::Result<()>) -> Vec<u8> {
    match result {
        Ok(()) => b"ok".to_vec(),
        Err(error) => format!("{:?}", error.kind()).into_bytes(),
    }
}

/// Everything that a server says by itself.
fn fetch(address: &str) -> Vec<u8> {
    let mut heard = Vec::new();
    match TcpStream::connect(address).and_then(|mut stream| stream.read_to_end(&mut heard)) {
        Ok(_) => heard,
        Err(error) => format!("{:?}", error.kind()).into_bytes(),
    }
}
