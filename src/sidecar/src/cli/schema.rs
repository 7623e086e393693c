//! `schema`: the JSON Schema of the configuration, for editors.

use std::io::Write;
use std::process::ExitCode;

use super::failure::failed;

/// Prints the schema.
pub(super) fn run() -> ExitCode {
    match std::io::stdout().write_all(setup::schema::json_schema().as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("the schema can't be written: {error}")),
    }
}
