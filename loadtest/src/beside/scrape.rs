//! Figures that a server has for Prometheus: its text format, or OpenMetrics'.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

/// How long an answer may take: the next question comes in a second.
const WITHIN: Duration = Duration::from_millis(900);
/// Longest answer in bytes (4 MiB).
const BYTES_MAX: usize = 4 << 20;
/// Most figures of one answer.
const FIGURES_MAX: usize = 2_000;
/// Longest name with its labels, in bytes.
const NAME_MAX: usize = 300;

/// Asks an address.
#[derive(Debug)]
pub(super) struct Scrape {
    url: Url,
    client: reqwest::Client,
}

impl Scrape {
    pub(super) fn new(url: Url) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(format!("{url} is no address of figures, such as http://host/metrics"));
        }
        let client = reqwest::Client::builder().timeout(WITHIN).build();
        Ok(Self { url, client: client.map_err(|error| error.to_string())? })
    }

    pub(super) async fn ask(&self) -> Result<BTreeMap<String, f64>, String> {
        let fault = |error: reqwest::Error| format!("{}: {}", self.url, error.without_url());
        let answer = self.client.get(self.url.clone()).send().await.map_err(fault)?;
        let mut answer = answer.error_for_status().map_err(fault)?;
        let mut text = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(fault)? {
            if text.len() + part.len() > BYTES_MAX {
                return Err(format!("{}: over {BYTES_MAX} bytes", self.url));
            }
            text.extend_from_slice(&part);
        }
        Ok(read(&String::from_utf8_lossy(&text)))
    }
}

/// Names with their labels, and values. Buckets of histograms are left out: they are many, and
/// their sums and counts say what is drawn.
fn read(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let figures = lines.filter_map(|line| {
        let (name, rest) = match line.find('{') {
            Some(open) => line.split_at(open + end_of_labels(&line[open..])?),
            None => line.split_once(char::is_whitespace)?,
        };
        let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
        let is_bucket = name.split('{').next().is_some_and(|name| name.ends_with("_bucket"));
        let fine = value.is_finite() && !is_bucket && name.len() <= NAME_MAX;
        fine.then(|| (name.to_owned(), value))
    });
    figures.take(FIGURES_MAX).collect()
}

/// Behind the closing brace; a value in quotes may hold one.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_either_text() {
        let text = "# HELP sockets open\n# TYPE sockets gauge\nsockets 12\n\
                    sent_total{kind=\"a }\\\"b\",x=\"y\"} 3.5e2 1700000000000\n\
                    took_bucket{le=\"0.1\"} 7\ntook_sum 1.25\nodd NaN\nbroken{a=\"b\" 1\n\n# EOF\n";
        let told = read(text);
        let expect = [
            ("sent_total{kind=\"a }\\\"b\",x=\"y\"}", 350.0),
            ("sockets", 12.0),
            ("took_sum", 1.25),
        ];
        let expect = expect.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(told.into_iter().collect::<Vec<_>>(), expect);
    }
}
