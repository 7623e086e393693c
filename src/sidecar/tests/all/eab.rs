//! External accounts in the API: the text that is signed, the key, and the error if there is none.

use crate::harness::{CA, Client, Home, eab, eab_of, public_jwk};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::{Account, EabMac, path, problem};
use serde_json::{Value, json};

/// The key of the resolver's account for the external account `kid-1`, made when there is none.
async fn account_key(engine: &Client) -> String {
    let request = json!({"resolver": "le", "caServer": CA, "email": "me@example.com", "eabKid": "kid-1"});
    engine.post(path::ACCOUNTS, &request).await.json::<Account>().key.expose().to_owned()
}

async fn mac(engine: &Client) -> String {
    let key = account_key(engine).await;
    engine.post(path::EAB, &eab(&key)).await.json::<EabMac>().mac
}

#[tokio::test]
async fn a_binding_is_signed_with_the_key_that_the_flag_leads_to() {
    let home = Home::new();
    let file = format!("le=file:{}", home.path("hmac").display());
    std::fs::write(home.path("hmac"), "c2VjcmV0\n").unwrap();
    let _sidecar = home.start_with(&["--eab", &file, "--eab", "zero=env:PATH"]).await.unwrap();
    let engine = home.engine().await;
    let first = mac(&engine).await;
    assert_eq!(URL_SAFE_NO_PAD.decode(&first).unwrap().len(), 32);
    std::fs::write(home.path("hmac"), "c2VjcmV0cw==").unwrap();
    let other = mac(&engine).await;
    assert_ne!(first, other, "the file is read anew");
    std::fs::write(home.path("hmac"), " c2VjcmV0\r\n").unwrap();
    assert_eq!(mac(&engine).await, first);
}

/// Sources of keys named in a request are ignored: the reproduction of an oracle for files and variables.
#[tokio::test]
async fn places_in_a_request_mean_nothing() {
    let home = Home::new();
    std::fs::write(home.path("hmac"), "c2VjcmV0").unwrap();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let key = account_key(&engine).await;
    let there = format!("file:{}", home.path("hmac").display());
    let mut answers = Vec::new();
    for place in [&there, "file:/no/such/file", "env:PATH", "env:AUTOCERT_TEST_NO_SUCH_VARIABLE", "c2VjcmV0"] {
        let mut request = eab(&key);
        request["hmacEncoded"] = json!(place);
        let problem = engine.post(path::EAB, &request).await.problem();
        assert_eq!((problem.status, problem.kind.as_str()), (422, problem::EAB_KEY), "{place}");
        answers.push(problem);
    }
    answers.dedup();
    let [answer] = &answers[..] else { panic!("{answers:?}") };
    assert!(answer.detail.contains("--eab"), "{answer}");
}

#[tokio::test]
async fn whatever_is_wrong_with_the_key_is_one_answer_without_its_place() {
    let mut answers = Vec::new();
    for (name, content) in
        [("gone", None), ("text", Some("T0P SECRET")), ("empty", Some("")), ("long", Some(&*"A".repeat(5000)))]
    {
        let home = Home::new();
        if let Some(content) = content {
            std::fs::write(home.path(name), content).unwrap();
        }
        let flag = format!("le=file:{}", home.path(name).display());
        let _sidecar = home.start_with(&["--eab", &flag]).await.unwrap();
        answers.push(refusal(&home).await);
    }
    for flag in
        ["le=file:/", "le=file:/dev/null", "le=env:AUTOCERT_TEST_NO_SUCH_VARIABLE", "le=env:PATH", "zero=env:PATH"]
    {
        let home = Home::new();
        let _sidecar = home.start_with(&["--eab", flag]).await.unwrap();
        answers.push(refusal(&home).await);
    }
    answers.dedup();
    let [answer] = &answers[..] else { panic!("{answers:#?}") };
    assert_eq!((answer.status, answer.kind.as_str()), (422, problem::EAB_KEY));
}

async fn refusal(home: &Home) -> protocol::Problem {
    let engine = home.engine().await;
    let key = account_key(&engine).await;
    engine.post(path::EAB, &eab(&key)).await.problem()
}

#[tokio::test]
async fn a_key_on_the_command_line_is_refused_and_not_shown() {
    let refused = Home::new().start_with(&["--eab", "le=c2VjcmV0"]).await.err().unwrap().to_string();
    assert!(refused.contains("--eab") && refused.contains("file:PATH") && !refused.contains("c2Vj"), "{refused}");
}

#[tokio::test]
async fn nothing_but_the_binding_of_the_kept_account_is_signed() {
    let home = Home::new();
    std::fs::write(home.path("hmac"), "c2VjcmV0").unwrap();
    let flag = format!("le=file:{}", home.path("hmac").display());
    let _sidecar = home.start_with(&["--eab", &flag]).await.unwrap();
    let engine = home.engine().await;
    let own = public_jwk(&account_key(&engine).await);
    let header = |alg: &str, kid: &str, url: &str| json!({"alg": alg, "kid": kid, "url": url});
    let url = "https://ca.example/new-account";
    let good = header("HS256", "kid-1", url);

    // A key of the same resolver for another external account, and one that nobody keeps.
    let other =
        json!({"resolver": "le", "caServer": "https://other.example/", "email": "me@example.com", "eabKid": "k"});
    let other: Account = engine.post(path::ACCOUNTS, &other).await.json();
    let foreign = json!({"kty": "EC", "crv": "P-256", "x": "x", "y": "y"});
    let with = |jwk: &Value, member: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[member] = value;
        jwk
    };
    let bad = [
        eab_of(&good, &foreign),
        eab_of(&good, &public_jwk(other.key.expose())),
        eab_of(&good, &with(&own, "x", own["y"].clone())),
        eab_of(&good, &with(&own, "use", json!("sig"))),
        eab_of(&good, &json!({"sub": "admin"})),
        eab_of(&header("none", "kid-1", url), &own),
        eab_of(&header("HS512", "kid-1", url), &own),
        eab_of(&header("HS256", "kid-2", url), &own),
        eab_of(&header("HS256", "kid-1", "https://evil.example/new-account"), &own),
        eab_of(&header("HS256", "kid-1", "https://ca.example.evil.test/new-account"), &own),
        eab_of(&header("HS256", "kid-1", "https://ca.example@evil.test/new-account"), &own),
        eab_of(&header("HS256", "kid-1", "/new-account"), &own),
        eab_of(&with(&good, "nonce", json!("n")), &own),
        eab_of(&with(&good, "jwk", own.clone()), &own),
        eab_of(&json!({"alg": "HS256", "kid": "kid-1"}), &own),
        eab_of(&json!(["HS256", "kid-1", url]), &own),
    ];
    let texts = ["", ".", "a b.c", "\u{0}", "e30"].map(str::to_owned);
    let text = eab_of(&good, &own)["signingInput"].as_str().unwrap().to_owned();
    let (protected, payload) = text.split_once('.').unwrap();
    // Readers of JSON differ in which of two members of a name they take.
    let twice = |part: &str, member: &str| {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        URL_SAFE_NO_PAD.encode(text.replacen('{', &format!("{{{member},"), 1))
    };
    let other_url = twice(protected, "\"url\":\"https://evil.example/\"");
    let other_x = twice(payload, "\"x\":\"AA\"");
    let texts = texts.into_iter().chain([
        format!("{text}.x"),
        format!("{other_url}.{payload}"),
        format!("{protected}.{other_x}"),
    ]);
    let texts = texts.map(|input| {
        let mut request = eab_of(&good, &own);
        request["signingInput"] = json!(input);
        request
    });
    for request in bad.into_iter().chain(texts) {
        let problem = engine.post(path::EAB, &request).await.problem();
        assert_eq!((problem.status, problem.kind.as_str()), (400, problem::BAD_REQUEST), "{request}");
        assert!(problem.detail.starts_with("signingInput: expected"), "{problem}");
    }
    // A CA may have its directory on another port.
    for url in [url, "https://ca.example:14000/new-account"] {
        let answer = engine.post(path::EAB, &eab_of(&header("HS256", "kid-1", url), &own)).await;
        assert_eq!(answer.status, 200, "{url}");
    }
}

#[tokio::test]
async fn without_an_account_for_the_kid_and_the_ca_nothing_is_signed() {
    let home = Home::new();
    std::fs::write(home.path("hmac"), "c2VjcmV0").unwrap();
    let flag = format!("le=file:{}", home.path("hmac").display());
    let _sidecar = home.start_with(&["--eab", &flag]).await.unwrap();
    let engine = home.engine().await;
    let key = account_key(&engine).await;
    for (member, value) in [("resolver", "zero"), ("kid", "kid-2"), ("caServer", "https://other.example/directory")] {
        let mut request = eab(&key);
        request[member] = json!(value);
        let problem = engine.post(path::EAB, &request).await.problem();
        assert_eq!(problem.status, 400, "{member}");
        assert!(problem.detail.contains("has no account at"), "{problem}");
    }
}
