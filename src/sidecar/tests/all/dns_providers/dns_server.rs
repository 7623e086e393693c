//! A small primary server for dynamic updates, which knows one key.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::TSIG;
use hickory_proto::rr::rdata::tsig::{TsigAlgorithm, TsigError, make_tsig_record};
use hickory_proto::rr::{Name, TSigResponseContext, TSigner};
use hickory_proto::serialize::binary::BinEncodable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The key's name and secret, as a configuration has them.
pub(crate) const KEY: &str = "Lego.Example";
pub(crate) const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const SECRET_BYTES: &[u8] = b"0123456789abcdef0123456789abcdef";

/// The server's answers.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// Applies the update and signs the answer.
    Signed,
    /// Claims success, unsigned.
    Unsigned,
    /// Answers with this code, unsigned.
    Code(ResponseCode),
    /// Reports an error of the signature.
    Complaint(TsigError),
    /// Answers with no DNS message.
    Garbage,
    /// Does not answer.
    Silence,
}

/// The server, which ends on drop.
pub(crate) struct DnsServer {
    pub(crate) address: SocketAddr,
    updates: Arc<Mutex<Vec<Message>>>,
    _tasks: JoinSet<()>,
}

impl DnsServer {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let updates = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&updates);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read(&mut stream).await;
                log.lock().unwrap().push(Message::from_vec(&request).unwrap());
                if let Some(reply) = reply(&request, answer) {
                    let length = u16::try_from(reply.len()).unwrap().to_be_bytes();
                    // A peer that has given up is none of the server's business.
                    let _ = stream.write_all(&[&length, reply.as_slice()].concat()).await;
                } else {
                    std::future::pending::<()>().await;
                }
            }
        });
        Self { address, updates, _tasks: tasks }
    }

    /// The updates that came.
    pub(crate) fn updates(&self) -> Vec<Message> {
        self.updates.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Vec<u8> {
    let length = stream.read_u16().await.unwrap();
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await.unwrap();
    message
}

fn reply(request: &[u8], answer: Answer) -> Option<Vec<u8>> {
    let message = Message::from_vec(request).unwrap();
    let respond = |code| {
        let mut response = Message::new(message.id, MessageType::Response, OpCode::Update);
        response.metadata.response_code = code;
        response
    };
    Some(match answer {
        Answer::Silence => return None,
        Answer::Garbage => b"HTTP/1.1 400 Bad Request".to_vec(),
        Answer::Unsigned => respond(ResponseCode::NoError).to_bytes().unwrap(),
        Answer::Code(code) => respond(code).to_bytes().unwrap(),
        Answer::Complaint(error) => {
            let mut response = respond(ResponseCode::NotAuth);
            let theirs = message.signature.as_ref().unwrap();
            let data = &theirs.data;
            let tsig =
                TSIG::new(data.algorithm.clone(), data.time, 300, Vec::new(), message.id, Some(error), Vec::new());
            response.set_signature(Box::new(make_tsig_record(theirs.name.clone(), tsig)));
            response.to_bytes().unwrap()
        }
        Answer::Signed => {
            let name = Name::from_ascii(KEY.to_ascii_lowercase()).unwrap();
            let signer = TSigner::new(SECRET_BYTES.to_vec(), TsigAlgorithm::HmacSha256, name, 300).unwrap();
            let (mac, time, _) = signer.verify_message_byte(request, None, true).unwrap();
            let mut response = respond(ResponseCode::NoError);
            let context = TSigResponseContext::new(message.id, time, signer, mac, None);
            let signature = context.sign(&response.to_bytes().unwrap()).unwrap();
            response.set_signature(signature);
            response.to_bytes().unwrap()
        }
    })
}
