//! Whether a server is ours to check or to burden: shared by the verbs that do either.

use trialogue_client::http::is_loopback;
use url::Url;

use crate::exit::Failure;

/// Whether a URL can be a target, and may be one: another machine's only by its owner's word.
pub(crate) fn check(url: &Url, owned: bool) -> Result<(), Failure> {
    let wrong = |what: &str| Err(Failure::usage(format!("the target {} {what}", shown(url))));
    if !matches!(url.scheme(), "http" | "https" | "ws" | "wss") || url.host().is_none() {
        return Err(Failure::usage("a target begins with http:// and has a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("has a password in it, which every process of the machine sees");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("has a query in it, which every process of the machine sees");
    }
    if !is_loopback(url) && !owned {
        return wrong("is on another machine: say --i-own-this-target if it is yours");
    }
    Ok(())
}

/// Scheme, host and port: the rest may hold a secret.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}
