//! Recognizes texts that are mistaken for a bootstrap, and says what they are and what to do with them.
//!
//! Unrendered templates, files of single resources (LDS, CDS, RDS …), Kubernetes ConfigMaps, and configurations of
//! Envoy's older APIs.

use yaml::{At, read};

use super::document::Document;
use super::everything::each;
use super::old_api::v1;
use super::typed::typed;
use super::{DocumentKind, Finding, Report, kind};

/// Resources in Envoy's files: the type, its name for people, and the discovery service that reads such files.
const RESOURCES: [(&str, &str, &str); 8] = [
    ("Listener", "listeners", "LDS"),
    ("Cluster", "clusters", "CDS"),
    ("RouteConfiguration", "routes", "RDS"),
    ("ScopedRouteConfiguration", "scoped routes", "SRDS"),
    ("VirtualHost", "virtual hosts", "VHDS"),
    ("ClusterLoadAssignment", "endpoints", "EDS"),
    ("Secret", "secrets", "SDS"),
    ("Runtime", "runtime values", "RTDS"),
];

/// Words in Helm's templates.
const HELM: [&str; 6] = [".Values", ".Release", ".Chart", "include ", "tpl ", "toYaml "];

/// Fields whose texts Envoy does not read, and that may contain anything.
const FOREIGN_TEXTS: [&str; 3] = ["inline_string", "inlineString", "inline_code"];

/// A finding that says what a text is instead of a v3 bootstrap, if it is a known kind of text.
pub fn no_bootstrap(source: &str, text: &str) -> Option<Finding> {
    let Ok(documents) = Document::all(source, text) else { return template(source, text) };
    let other = |document: &Document| resources(&document.top()).or_else(|| config_map(document));
    unreadable(&documents).or_else(|| documents.iter().find_map(other))
}

/// A finding for documents that can't be checked any further: templates, and configurations of v1.
pub(super) fn unreadable(documents: &[Document]) -> Option<Finding> {
    unrun(documents).or_else(|| documents.iter().find_map(|document| v1(&document.top())))
}

/// A finding about a template in a text that is no YAML until it is rendered.
pub fn template(source: &str, text: &str) -> Option<Finding> {
    if read(text).is_ok() {
        return None;
    }
    let is_code = |line: &&str| !line.trim_start().starts_with('#');
    let (index, line) = text.lines().enumerate().find(|(_, line)| is_code(line) && is_template(line))?;
    let is_helm = text.lines().any(|line| is_template(line) && HELM.iter().any(|word| line.contains(word)));
    Some(Finding { line: Some(index.saturating_add(1)), source: source.to_owned(), ..of_template(line, is_helm) })
}

/// A finding about a Helm template in quotes, which is valid YAML.
fn unrun(documents: &[Document]) -> Option<Finding> {
    let mut found = None;
    each(documents, |at| {
        let is_foreign = || FOREIGN_TEXTS.iter().any(|field| at.path.ends_with(field));
        let text = at.text().filter(|text| is_template(text) && HELM.iter().any(|word| text.contains(word)));
        if let (None, Some(text), false) = (&found, text, is_foreign()) {
            let Finding { found: what, expected, .. } = of_template(text, true);
            found = Some(Finding::at(at, what, expected));
        }
    });
    found
}

fn of_template(text: &str, is_helm: bool) -> Finding {
    let run = if is_helm { "`helm template` prints it" } else { "run what fills it in (Ansible, `helm template` …)" };
    let start = ["{{", "{%"].iter().filter_map(|open| text.find(open)).min().unwrap_or_default();
    let code = text.get(start..).unwrap_or(text).trim();
    Finding {
        expected: format!("the rendered text: {run}; give the result"),
        ..Finding::said(&format!("a template ({})", config::shortened(code)))
    }
}

/// True for `{{ .Values.port }}`, `{{- if … }}`, `{% for … %}`: opened and closed on the same line.
fn is_template(line: &str) -> bool {
    let opens = |open: &str, close: &str| {
        line.split(open).skip(1).any(|rest| {
            let rest = rest.strip_prefix('-').unwrap_or(rest).trim_start();
            let is_word = rest.starts_with(|c: char| c.is_ascii_alphabetic() || "._$\"`(/".contains(c));
            // A nested flow mapping has a key with a colon.
            let code = rest.split(close).next().unwrap_or_default();
            rest.contains(close) && is_word && !code.contains(": ")
        })
    };
    opens("{{", "}}") || opens("{%", "%}")
}

/// A finding about a file of single resources where a bootstrap is expected.
pub(super) fn resources(top: &At<'_>) -> Option<Finding> {
    let items = top.list("resources");
    let first = items.first().or(Some(top)).and_then(typed)?;
    let (_, what, protocol) = RESOURCES.iter().find(|(name, ..)| *name == first.name)?;
    let into = match *protocol {
        "LDS" => "; what belongs into this file, `envoy-autocert render --format filter` prints",
        "CDS" => "; the clusters that belong into this file, `envoy-autocert render --format filter` prints",
        _ => "",
    };
    let expected = format!("the bootstrap that takes this file, which is read with it{into}");
    Some(Finding { line: Some(first.at.line), ..Finding::at(top, format!("a file of {what} ({protocol})"), expected) })
}

/// Warns about files of single resources that were given without the bootstrap that reads them.
pub(super) fn alone(documents: &[Document], report: &mut Report) {
    if !documents.iter().any(|document| kind(&document.top()) == DocumentKind::Bootstrap) {
        documents.iter().filter_map(|document| resources(&document.top())).for_each(|file| report.warning(file));
    }
}

/// The Envoy configurations in a Kubernetes ConfigMap or Secret, with their keys.
pub(super) fn texts<'a>(document: &'a Document) -> Vec<(&'a str, At<'a>)> {
    let top = document.top();
    if kind(&top) != DocumentKind::Kubernetes || !matches!(top.text_of("kind"), Some("ConfigMap" | "Secret")) {
        return Vec::new();
    }
    let data = ["data", "stringData"].into_iter().filter_map(|field| top.get(field));
    let members = data.flat_map(|data| data.members());
    let is_envoys = |(_, at): &(&str, At<'_>)| at.text().is_some_and(super::may_be_envoys);
    members.filter(is_envoys).collect()
}

/// A finding about a ConfigMap that contains a bootstrap.
fn config_map(document: &Document) -> Option<Finding> {
    let (name, at) = texts(document).into_iter().next()?;
    let top = document.top();
    let kind = top.text_of("kind").unwrap_or_default();
    let own = acme::one_line(top.text_of("metadata.name").unwrap_or("NAME"));
    let name = acme::one_line(name);
    let expected = format!(
        "the text itself: `kubectl get configmap {own} -o jsonpath='{{.data.{}}}' > envoy.yaml` takes it out, and \
         `kubectl create configmap {own} --from-file={name}=new.yaml --dry-run=client -o yaml | kubectl apply -f -` puts \
         another one in",
        name.replace('.', "\\."),
    );
    Some(Finding::at(&at, format!("a {kind} of Kubernetes that holds an Envoy configuration"), expected))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn told(text: &str) -> String {
        no_bootstrap("f.yaml", text).map(|finding| finding.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_template_is_one_with_its_line() {
        for (text, line) in [
            (
                "# {{ not here }}\nstatic_resources:\n  listeners:\n  {{- range .Values.listeners }}\n  - name: a\n  {{- end }}\n",
                4,
            ),
            ("static_resources: { listeners: [{ name: {{ .Values.name }} }] }\n", 1),
            ("node:\n  id: \"{{ .Release.Name }}\"\nstatic_resources: {}\n", 2),
            ("static_resources:\n{% for l in listeners %}\n- {{ l }}\n{% endfor %}\n", 2),
        ] {
            let told = told(text);
            assert!(told.starts_with(&format!("f.yaml:{line}:")) && told.contains("found a template"), "{told}");
            assert_eq!(told.contains("`helm template` prints it"), text.contains('.'), "{told}");
        }
        for text in [
            "static_resources: { listeners: [{ name: a }] }",
            "a: {b: {c: {{d: e}: f}}}",
            "static_resources: { x: { inline_string: '<b>{{ .Values.x }}</b>' } }",
            "static_resources: [",
        ] {
            assert_eq!(told(text), "", "{text}");
        }
    }

    #[test]
    fn a_file_of_resources_is_named_with_what_to_do() {
        let file = |kind: &str| told(&format!("resources:\n- '@type': type.googleapis.com/envoy.config.x.v3.{kind}\n"));
        let lds = file("Listener");
        assert!(lds.contains("f.yaml:2: found a file of listeners (LDS), expected the bootstrap that takes"), "{lds}");
        assert!(lds.contains("render --format filter"), "{lds}");
        assert!(file("Cluster").contains("(CDS)"));
        assert!(file("RouteConfiguration").contains("(RDS)"));
        assert_eq!(file("Nothing"), "");
    }

    #[test]
    fn a_config_map_says_how_its_text_is_taken_out() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: edge }\ndata:\n  envoy.yaml: |\n    static_resources: {}\n";
        let told = told(text);
        assert!(told.starts_with("f.yaml:5: data.envoy.yaml: found a ConfigMap of Kubernetes"), "{told}");
        assert!(told.contains("kubectl get configmap edge -o jsonpath='{.data.envoy\\.yaml}'"), "{told}");
    }

    #[test]
    fn v1_is_named() {
        assert!(told(r#"{ "listeners": [{ "address": "tcp://0.0.0.0:80" }] }"#).contains("Envoy's v1 API"));
    }
}
