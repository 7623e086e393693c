//! The plugin, modified so that it traps.

use std::ops::Range;

use anyhow::{Context, Result};
use wasmparser::{ExternalKind, Parser, Payload};

/// Traps always.
pub const ALWAYS: &[u8] = &[UNREACHABLE];

/// Traps in `proxy_on_http_call_response` when the response's body has more than 64 KiB. The body's size is the
/// function's fourth parameter.
pub const ON_LARGE_ANSWERS: &[u8] = &[
    0x20,
    0x03, // local.get 3
    0x41,
    0x80,
    0x80,
    0x04, // i32.const 65536
    0x4a, // i32.gt_s
    0x04,
    0x40, // if
    UNREACHABLE,
    0x0b, // end
];

const UNREACHABLE: u8 = 0x00;
/// The id of the code section.
const CODE: u8 = 10;

/// The plugin with this code inserted at the beginning of an exported function.
pub fn doctored(wasm: &[u8], function: &str, code: &[u8]) -> Result<Vec<u8>> {
    let mut imported = 0_u32;
    let mut index = None;
    let mut bodies = Vec::new();
    let mut header = 8;
    let mut content = 0..0;
    let mut count = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Some((id, range)) = payload.as_section() {
            let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
            match id {
                CODE => content = range,
                _ if content.is_empty() => header = range.end,
                _ => {}
            }
        }
        match payload {
            Payload::ImportSection(imports) => imported = u32::try_from(imports.into_imports().count())?,
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ExternalKind::Func && export.name == function {
                        index = Some(export.index);
                    }
                }
            }
            Payload::CodeSectionStart { count: bodies, .. } => count = bodies,
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let start = body.get_operators_reader()?.original_position();
                bodies.push((usize::try_from(range.start)?..usize::try_from(range.end)?, usize::try_from(start)?));
            }
            _ => {}
        }
    }
    let index = index.with_context(|| format!("the plugin exports no {function}"))?;
    let doctored = (index - imported) as usize;
    let mut section = leb(count as usize);
    for (number, (body, start)) in bodies.into_iter().enumerate() {
        let code = if number == doctored { code } else { &[] };
        section.extend(leb(body.len() + code.len()));
        section.extend([part(wasm, body.start..start)?, code, part(wasm, start..body.end)?].concat());
    }
    let length = leb(section.len());
    Ok([part(wasm, 0..header)?, &[CODE], &length, &section, part(wasm, content.end..wasm.len())?].concat())
}

fn part(wasm: &[u8], range: Range<usize>) -> Result<&[u8]> {
    wasm.get(range).context("the module is cut short")
}

/// An unsigned LEB128 number.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
