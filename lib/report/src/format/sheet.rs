//! A page of tables and charts that opens without a network and needs no script, light or dark as
//! its reader likes.

use std::fmt::Write as _;

use super::chart;
use super::harmless::html;
use crate::diagram::Tone;

/// Most rows of a table (2,000): a page is read by a person.
const ROWS_MAX: usize = 2_000;

const STYLE: &str = "\
body{background:var(--page);color:var(--ink);font:14px/1.5 sans-serif;max-width:112rem;\
margin:1.5rem auto;padding:0 1.5rem}h1{font-size:1.6rem;margin:.2rem 0}\
h2{font-size:1.05rem;margin:.1rem 0 .4rem}\
table{border-collapse:collapse;margin:.5rem 0;max-width:100%}\
td,th{border-bottom:1px solid var(--frame);padding:.25rem .8rem .25rem 0;text-align:left;\
vertical-align:top;overflow-wrap:anywhere}td:first-child{white-space:nowrap}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr));gap:1rem}\
section{background:var(--card);border-radius:8px;padding:.8rem 1rem;margin:1rem 0}\
.charts section{margin:0}\
.soft{color:var(--s5)}.good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}";

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
    /// A heading above a table.
    Heading(String),
    /// Headings and pictures, as [`chart`] makes them: beside one another where there is room.
    Charts(Vec<(String, String)>),
    /// Rows of cells below a row of names, which may be empty.
    Table(Vec<String>, Vec<(Tone, Vec<String>)>),
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Open => "open",
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
                Part::Charts(charts) => {
                    page.push_str("<div class=\"charts\">");
                    for (heading, svg) in charts {
                        let heading = html(heading);
                        _ = write!(page, "<section><h2>{heading}</h2>{svg}</section>");
                    }
                    page.push_str("</div>");
                }
                Part::Table(names, rows) => table(&mut page, names, rows),
            }
        }
        page.push_str("</body></html>\n");
        page
    }
}

fn table(page: &mut String, names: &[String], rows: &[(Tone, Vec<String>)]) {
    page.push_str("<table>");
    // Numbers stand below one another by their last digit.
    let is_number =
        |text: &str| text.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit());
    let column =
        |n: usize| rows.iter().all(|(_, cells)| cells.get(n).is_some_and(|t| is_number(t)));
    let of = |n: usize| if !names.is_empty() && column(n) { " class=\"n\"" } else { "" };
    if !names.is_empty() {
        let cell = |(n, name): (usize, &String)| format!("<th{}>{}</th>", of(n), html(name));
        let cells: String = names.iter().enumerate().map(cell).collect();
        _ = write!(page, "<tr>{cells}</tr>");
    }
    for (tone, cells) in rows.iter().take(ROWS_MAX) {
        let cell = |(n, cell): (usize, &String)| format!("<td{}>{}</td>", of(n), html(cell));
        let cells: String = cells.iter().enumerate().map(cell).collect();
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
