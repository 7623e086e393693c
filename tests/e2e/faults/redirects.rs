//! Redirects: a GET follows some; a signed request goes to the URL that it was signed for, or nowhere.

use anyhow::{Result, ensure};
use harness::{Fault, Resource};

use super::scene::{NAME, Scene};

#[test]
fn the_directory_may_be_redirected_ten_times() -> Result<()> {
    let mut scene = Scene::start("redirects", |relay| {
        relay.treat_nth(Resource::Directory, 0..10, Fault::answer(307, &[("location", "/dir?again")], ""));
    })?;
    scene.served()?;
    Ok(())
}

#[test]
fn a_directory_that_leads_in_circles_is_an_error() -> Result<()> {
    let mut scene = Scene::eager("circles", |relay| {
        relay.treat(Resource::Directory, Fault::answer(302, &[("location", "/dir")], ""));
    })?;
    scene.failed(&[NAME, "more than 10 redirects", "1 in a row"])?;
    ensure!(scene.count(Resource::Any) == scene.count(Resource::Directory), "something else was asked");
    scene.relay.relent();
    scene.served()?;
    Ok(())
}

#[test]
fn a_redirected_order_is_not_sent_elsewhere() -> Result<()> {
    let mut scene = Scene::eager("redirected-order", |relay| {
        for (number, status) in [301, 302, 303, 307, 308].into_iter().enumerate() {
            let elsewhere = Fault::answer(status, &[("location", "/elsewhere")], "");
            relay.treat_nth(Resource::NewOrder, number..number + 1, elsewhere);
        }
    })?;
    scene.failed(&[NAME, "newOrder", "308"])?;
    scene.served()?;
    ensure!(scene.count(Resource::Other) == 0, "it was sent elsewhere");
    Ok(())
}
