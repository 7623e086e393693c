//! A virtual machine that trapped: another instance of the plugin takes over.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{World, WorldOptions, artifacts, domains, until};
use serde_json::json;
use wasmparser::{ExternalKind, Operator, Parser, Payload};

/// DESIGN: within 15 s; the issuance itself and a slow machine come on top.
const TAKEOVER: Duration = Duration::from_secs(15 + 10);

/// The plugin with a trap where an exported function begins.
fn trapping(wasm: &[u8], function: &str) -> Result<Vec<u8>> {
    let (mut imported, mut index, mut bodies) = (0_u32, None, Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ImportSection(imports) => {
                imported = u32::try_from(imports.into_imports().count())?;
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ExternalKind::Func && export.name == function {
                        index = Some(export.index);
                    }
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            _ => {}
        }
    }
    let index = index.with_context(|| format!("the plugin exports no {function}"))?;
    let body = bodies.get((index - imported) as usize).context("the function has no body")?;
    let mut operators = body.get_operators_reader()?;
    loop {
        let (start, operator) = (operators.original_position(), operators.read()?);
        // A block's beginning must stay, for its end's sake; anything else can give way to `unreachable` and `nop`s.
        if matches!(operator, Operator::Block { .. } | Operator::Loop { .. }) {
            continue;
        }
        let (start, end) = (usize::try_from(start)?, usize::try_from(operators.original_position())?);
        let mut patched = wasm.to_vec();
        patched[start] = 0x00;
        patched[start + 1..end].fill(0x01);
        return Ok(patched);
    }
}

#[test]
fn a_trapped_engine_is_replaced_by_another_instance() -> Result<()> {
    let name = "takeover.example";
    let mut doctored = None;
    let mut world = World::with("trap", &WorldOptions::default(), |mut bootstrap| {
        let path = tempfile::Builder::new().suffix(".wasm").tempfile()?.into_temp_path();
        let wasm = fs::read(artifacts::wasm()?)?;
        fs::write(&path, trapping(&wasm, "proxy_on_http_call_response")?)?;
        let singleton = bootstrap.value().pointer_mut("/bootstrap_extensions/0/typed_config/config");
        let singleton = singleton.context("there is no singleton")?;
        singleton["vm_config"]["code"]["local"]["filename"] = json!(path.to_path_buf());
        doctored = Some(path);
        bootstrap.domains(&domains(&[&[name]]))
    })?;
    let started = Instant::now();
    until("the trap", TAKEOVER, || {
        ensure!(world.envoy.log().contains("unreachable"), "the engine has not trapped yet");
        Ok(())
    })?;
    world.served(name, TAKEOVER)?;
    assert!(started.elapsed() < TAKEOVER, "{:?} until another instance had issued", started.elapsed());
    Ok(())
}

#[test]
fn without_a_singleton_a_filter_runs_the_engine() -> Result<()> {
    let name = "filter.example";
    let mut world = World::with("filter", &WorldOptions::default(), |bootstrap| {
        bootstrap.without_singleton().domains(&domains(&[&[name]]))
    })?;
    world.served(name, TAKEOVER)?;
    assert_eq!(world.orders(), 1, "only one of the instances places orders");
    Ok(())
}
