//! `order-server PORT`: answers `POST /totals` with what each customer has ordered, and `GET /health` with `ok`.
//!
//! It knows nothing of signals: SIGTERM ends it as it ends most small services.

mod http;
mod orders;

use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|word| word.parse::<u16>().ok());
    let Some(port) = port else {
        eprintln!("usage: order-server PORT");
        std::process::exit(2);
    };
    tokio::runtime::Builder::new_multi_thread()
        .enable_io()
        .build()?
        .block_on(serve(port))
}

async fn serve(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = converse(stream).await {
                eprintln!("order-server: {error}");
            }
        });
    }
}

/// Answer the requests of one connection, several at a time where they have come together.
async fn converse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::with_capacity(64 * 1024);
    let mut answers = Vec::with_capacity(64 * 1024);
    loop {
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
        let mut done = 0;
        while let Some((request, length)) = Request::parse(&received[done..])? {
            answer(&request).write_to(&mut answers);
            done += length;
        }
        received.drain(..done);
        stream.write_all(&answers).await?;
        answers.clear();
    }
}

fn answer(request: &Request) -> Response {
    match (request.method, request.path) {
        ("GET", "/health") => Response::text(200, "ok\n"),
        ("POST", "/totals") => match orders::totals(request.body) {
            Ok(totals) => Response::json(200, totals),
            Err(error) => Response::text(400, &format!("{error}\n")),
        },
        _ => Response::text(404, "there is POST /totals and GET /health\n"),
    }
}
