//! A page of tables and charts that opens without a network and needs no script, light or dark as
//! its reader likes.

use std::fmt::Write as _;

use super::chart;
use super::harmless::html;
use crate::diagram::Tone;

/// Most rows of a table (2,000): a page is read by a person.
const ROWS_MAX: usize = 2_000;

const STYLE: &str = "\
body{background:var(--page);color:var(--ink);font:14px/1.5 sans-serif;max-width:60rem;\
margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;margin:.5rem 0}\
td,th{border:1px solid var(--frame);padding:.2rem .6rem;text-align:left;vertical-align:top}\
.soft{color:var(--s5)}.good{color:var(--good)}.bad{color:var(--bad)}";

/// The page.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// What it is about.
    pub title: String,
    /// The verdict behind the title.
    pub word: (String, Tone),
    /// A line below it.
    pub lead: String,
    /// From top to bottom.
    pub parts: Vec<Part>,
}

/// A part of a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A heading.
    Heading(String),
    /// A picture, as [`chart`] makes them.
    Chart(String),
    /// Rows of cells below a row of names, which may be empty.
    Table(Vec<String>, Vec<(Tone, Vec<String>)>),
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => "good",
        Tone::Bad => "bad",
    }
}

impl Sheet {
    /// The text of the whole file.
    #[must_use]
    pub fn write(&self) -> String {
        let (word, tone) = &self.word;
        let (title, word, lead) = (html(&self.title), html(word), html(&self.lead));
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'\"><title>{title}: {word}</title><style>{}{STYLE}</style>\
             </head><body><h1>{title}: <span class=\"{}\">{word}</span></h1>\
             <p class=\"soft\">{lead}</p>",
            chart::STYLE,
            class(*tone),
        );
        for part in &self.parts {
            match part {
                Part::Heading(text) => _ = write!(page, "<h2>{}</h2>", html(text)),
                Part::Chart(svg) => page.push_str(svg),
                Part::Table(names, rows) => table(&mut page, names, rows),
            }
        }
        page.push_str("</body></html>\n");
        page
    }
}

fn table(page: &mut String, names: &[String], rows: &[(Tone, Vec<String>)]) {
    page.push_str("<table>");
    if !names.is_empty() {
        let cells: String = names.iter().map(|name| format!("<th>{}</th>", html(name))).collect();
        _ = write!(page, "<tr>{cells}</tr>");
    }
    for (tone, cells) in rows.iter().take(ROWS_MAX) {
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", html(cell))).collect();
        _ = write!(page, "<tr class=\"{}\">{cells}</tr>", class(*tone));
    }
    page.push_str("</table>");
    if let Some(more) = rows.len().checked_sub(ROWS_MAX + 1) {
        _ = write!(page, "<p>and {} more</p>", more + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_told_is_markup() {
        let row = (Tone::Bad, vec!["<script>".to_owned(), "&".to_owned()]);
        let sheet = Sheet {
            title: "a<b".to_owned(),
            word: ("\u{1b}[31m".to_owned(), Tone::Bad),
            lead: "\"".to_owned(),
            parts: vec![
                Part::Heading("<h>".to_owned()),
                Part::Table(vec!["n".to_owned()], vec![row; ROWS_MAX + 2]),
            ],
        };
        let page = sheet.write();
        assert!(!page.contains("<script>") && !page.contains("\u{1b}["), "{page}");
        assert!(page.contains("&lt;script&gt;") && page.contains("and 2 more"));
    }
}
