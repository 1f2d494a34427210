//! Lists that the server hands out in pages.

use serde::Serialize;
use trialogue_client::rest::ListQuery;
use trialogue_protocol::{LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX};

/// How much of a list is wanted.
#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Most {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = LIST_LIMIT_DEFAULT_U32)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// As a number that clap can show.
const LIST_LIMIT_DEFAULT_U32: u32 = LIST_LIMIT_DEFAULT as u32;

impl Most {
    /// At most so many.
    pub(crate) const fn of(limit: u32) -> Self {
        Self { limit }
    }
}

/// A part of a list, as `--json` prints it.
#[derive(Serialize)]
pub(crate) struct Page<T> {
    /// In the server's order.
    pub(crate) items: Vec<T>,
    /// Where the rest begins; nothing at the end.
    pub(crate) next: Option<String>,
}

/// Asks for page after page until there are enough or no more.
pub(crate) async fn collect<T>(
    most: Most,
    fetch: impl AsyncFn(ListQuery) -> anyhow::Result<Page<T>>,
) -> anyhow::Result<Page<T>> {
    let wanted = usize::try_from(most.limit).unwrap_or(usize::MAX);
    let mut all = Page { items: Vec::new(), next: None };
    loop {
        let missing = u32::try_from(wanted - all.items.len()).unwrap_or(u32::MAX);
        let limit = Some(missing.min(LIST_LIMIT_MAX as u32));
        let page = fetch(ListQuery { limit, cursor: all.next.take() }).await?;
        let came = page.items.len();
        all.items.extend(page.items);
        all.next = page.next;
        // A page without items that promises more would be asked for again for ever.
        if all.next.is_none() || came == 0 || all.items.len() >= wanted {
            all.items.truncate(wanted);
            return Ok(all);
        }
    }
}
