//! Questions to one server (RFC 1035), and NOTIFY (RFC 1996).

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

/// Time limit of an answer.
const LIMIT: Duration = Duration::from_secs(2);

/// Larger than every answer by UDP.
const MOST_BYTES: usize = 65_535;

/// The TXT records that a server has for a name, sorted; where the name is an alias that the server can follow, those
/// of its target.
///
/// # Errors
/// When it does not answer within 2 s, or answers an error other than that there is no such name.
pub fn texts(server: SocketAddr, name: &str) -> Result<Vec<String>> {
    let answer = ask(server, OpCode::Query, name, RecordType::TXT)?;
    let code = answer.metadata.response_code;
    ensure!(matches!(code, ResponseCode::NoError | ResponseCode::NXDomain), "{server} answers {code} for {name}");
    let text = |data: &RData| match data {
        RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
        _ => None,
    };
    let mut texts: Vec<String> = answer.answers.iter().filter_map(|record| text(&record.data)).collect();
    texts.sort();
    Ok(texts)
}

/// The serial number of a zone at a server.
///
/// # Errors
/// When it does not answer within 2 s, or does not have the zone.
pub fn serial(server: SocketAddr, zone: &str) -> Result<u32> {
    let answer = ask(server, OpCode::Query, zone, RecordType::SOA)?;
    let serial = answer.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    });
    serial.with_context(|| format!("{server} has no zone {zone}: {}", answer.metadata.response_code))
}

/// Notifies a secondary server that its primary, 127.0.0.1, has changed a zone; the secondary fetches the zone at once.
///
/// # Errors
/// When it does not take note.
pub fn notify(server: SocketAddr, zone: &str) -> Result<()> {
    let answer = ask(server, OpCode::Notify, zone, RecordType::SOA)?;
    let code = answer.metadata.response_code;
    ensure!(code == ResponseCode::NoError, "{server} answers {code} to the word that {zone} has changed");
    Ok(())
}

fn ask(server: SocketAddr, operation: OpCode, name: &str, record: RecordType) -> Result<Message> {
    let mut message = Message::query();
    message.metadata.op_code = operation;
    message.metadata.message_type = MessageType::Query;
    message.metadata.recursion_desired = operation == OpCode::Query;
    message.metadata.authoritative = operation == OpCode::Notify;
    message.add_query(Query::query(Name::from_ascii(format!("{name}."))?, record));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.connect(server)?;
    socket.send(&message.to_vec()?)?;
    let mut buffer = vec![0; MOST_BYTES];
    let length = socket.recv(&mut buffer).with_context(|| format!("{server} does not answer for {name}"))?;
    let answer = Message::from_vec(&buffer[..length])?;
    ensure!(answer.metadata.id == message.metadata.id, "{server} answers another question");
    Ok(answer)
}
