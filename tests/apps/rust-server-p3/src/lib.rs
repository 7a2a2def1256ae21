//! A server and a command of WASI 0.3: it listens on `$PORT` through asynchronous sockets, with a task of its own for each
//! connection, and answers with a greeting and what it was sent. A connection that sends `echo` first has everything sent back.

use wasip3::{
    cli::{environment, exit},
    exports::cli::run::Guest,
    sockets::types::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket},
    wit_bindgen::{StreamReader, StreamResult},
};

wasip3::cli::command::export!(Program);

struct Program;

impl Guest for Program {
    async fn run() -> Result<(), ()> {
        let arguments = environment::get_arguments();
        match arguments.get(1).map(String::as_str) {
            None | Some("serve") => serve().await,
            Some("task") => {
                println!("task done {}", arguments[2..].join(" "));
                Ok(())
            }
            Some("exit") => {
                exit::exit_with_code(7);
                Ok(())
            }
            Some("other-port") => bind(8081).map(drop).map_err(|reason| println!("{reason}")),
            Some(_) => Err(()),
        }
    }
}

fn bind(port: u16) -> Result<TcpSocket, String> {
    let socket = TcpSocket::create(IpAddressFamily::Ipv4).map_err(|error| format!("no socket: {error:?}"))?;
    let address = IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (0, 0, 0, 0) });
    socket.bind(address).map_err(|error| format!("not bound: {error:?}"))?;
    Ok(socket)
}

async fn serve() -> Result<(), ()> {
    let port = std::env::var("PORT").map_err(drop)?.parse().map_err(drop)?;
    let socket = bind(port).map_err(|reason| println!("{reason}"))?;
    let mut connections = socket.listen().map_err(|error| println!("not listening: {error:?}"))?;
    println!("listening on {:?}", socket.get_local_address());
    while let Some(connection) = connections.next().await {
        wasip3::spawn_local(answer(connection));
    }
    Err(())
}

async fn answer(connection: TcpSocket) {
    let (mut input, _end) = connection.receive();
    let (mut output, source) = wasip3::wit_stream::new();
    let sending = connection.send(source);
    let mut read = Vec::new();
    while !read.windows(4).any(|four| four == b"\r\n\r\n") && !read.starts_with(b"echo") {
        let Some(more) = next(&mut input).await else { return };
        read.extend(more);
    }
    if read.starts_with(b"echo") {
        let mut piece = Some(read);
        while let Some(bytes) = piece {
            if !output.write_all(bytes).await.is_empty() {
                break;
            }
            piece = next(&mut input).await;
        }
    } else {
        println!("{}", String::from_utf8_lossy(&read).lines().next().unwrap_or_default());
        let text = [b"Hello from WASI 0.3 on Virga\n".as_slice(), &read].concat();
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", text.len());
        let _unread = output.write_all([head.as_bytes(), &text].concat()).await;
    }
    drop(output);
    if let Err(error) = sending.await {
        println!("a connection broke: {error:?}");
    }
}

/// What comes next, or nothing at the end.
async fn next(input: &mut StreamReader<u8>) -> Option<Vec<u8>> {
    match input.read(Vec::with_capacity(16 << 10)).await {
        (StreamResult::Complete(_), bytes) if !bytes.is_empty() => Some(bytes),
        _ => None,
    }
}
