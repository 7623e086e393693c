//! The values of a row's variables: read, defaulted, or refused.

use super::ProviderError;
use super::table::{Need, Row, Variable};
use super::values::Values;
use super::variables::{Environment, VariableError, read};
use protocol::SecretText;

/// The values of all variables of a provider.
///
/// # Errors
/// If required variables are missing (the error names all of them), or if a value can't be read, or is not supported.
pub(super) fn of(row: &Row, environment: &Environment<'_>) -> Result<Values, ProviderError> {
    let wrong = |error: VariableError| ProviderError::configuration(row.code, error);
    let mut instead = None;
    for refused in row.refused {
        let is_set = environment.first(&[refused.name]).map_err(wrong)?;
        if is_set.is_some_and(|value| !refused.spares(value.expose())) {
            let error = VariableError::new(refused.name, refused.why);
            if !refused.is_alternative {
                return Err(wrong(error));
            }
            instead.get_or_insert(error);
        }
    }
    let mut values = Values::default();
    let mut missing = Vec::new();
    for variable in row.variables {
        let value = match value(variable, environment).map_err(wrong)? {
            Some(value) => value,
            None => match variable.need {
                Need::Default(value) => SecretText::new(value.to_owned()),
                Need::Optional => continue,
                Need::Required => {
                    missing.push(variable.names.join(" or "));
                    continue;
                }
            },
        };
        values.0.insert(variable.name().to_owned(), value);
    }
    let satisfied = |names: &&[&str]| names.iter().all(|name| values.get(name).is_some());
    if !row.one_of.is_empty() && !row.one_of.iter().any(satisfied) {
        let choices: Vec<String> = row.one_of.iter().map(|names| names.join(" with ")).collect();
        missing.push(choices.join(", or "));
    }
    match (missing.is_empty(), instead) {
        (true, _) => Ok(values),
        (false, Some(error)) => Err(wrong(error)),
        (false, None) => Err(misses(row, environment, &missing)),
    }
}

fn value(variable: &Variable, environment: &Environment<'_>) -> Result<Option<SecretText>, VariableError> {
    if let Some(value) = environment.first(variable.names)? {
        return Ok(Some(value));
    }
    for name in variable.paths {
        if let Some(path) = environment.first(&[name])? {
            return read(path.expose(), name).map(Some);
        }
    }
    Ok(None)
}

fn misses(row: &Row, environment: &Environment<'_>, missing: &[String]) -> ProviderError {
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let first = row.variables.first().map_or("NAME", Variable::name);
    let hint = if row.note.is_empty() { String::new() } else { format!("; {}", row.note) };
    let why = format!(
        "{} {verb} not set for the sidecar; each may also be a file's path in a variable that ends in _FILE, and be for \
         this resolver alone, like {}{first}{hint}",
        missing.join("; "),
        environment.prefix(),
    );
    ProviderError::configuration(row.code, why)
}
