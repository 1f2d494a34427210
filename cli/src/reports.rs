//! `--report`: results as files for other programs, written whatever ends the verb.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use trialogue_report::format::Format;
use trialogue_report::results::{Case, Results, Suite};

use crate::exit::{ClosedPipe, Failure};
use crate::out::{Out, closed};

/// Names the file to which a step of a GitHub workflow adds its summary.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Flags of a verb that has results.
#[derive(clap::Args)]
pub(crate) struct ReportArgs {
    /// Write the results as junit=FILE, json=FILE, tap=FILE, md=FILE or html=FILE (- is standard
    /// output), or as github, which annotates lines in a GitHub workflow
    #[arg(long = "report", value_name = "FORMAT=FILE", value_delimiter = ',')]
    reports: Vec<Report>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
struct Report {
    format: Format,
    place: Place,
}

/// Where a report goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    Stdout,
    Stderr,
    File(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout | Self::Stderr => f.write_str("a report"),
            Self::File(file) => file.display().fmt(f),
        }
    }
}

impl FromStr for Report {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Format::Github.name() {
            // A workflow reads commands on both streams, and this one is for talk.
            return Ok(Self { format: Format::Github, place: Place::Stderr });
        }
        let (format, place) = split(text, &Format::ALL, Format::name)?;
        Ok(Self { format, place })
    }
}

/// A report as it is typed: one of these formats, and its place.
pub(crate) fn split<F: Copy>(
    text: &str,
    formats: &[F],
    name_of: impl Fn(F) -> &'static str,
) -> Result<(F, Place), String> {
    let names = || formats.iter().map(|format| name_of(*format)).collect::<Vec<_>>().join(", ");
    let (name, place) = text.split_once('=').ok_or("it is FORMAT=FILE, as in junit=out.xml")?;
    let format = formats.iter().find(|format| name_of(**format) == name);
    let format = *format.ok_or_else(|| format!("no format {name:?}: {}", names()))?;
    let place = match place {
        "" => return Err(format!("{name}= names no file")),
        "-" => Place::Stdout,
        file => Place::File(file.into()),
    };
    Ok((format, place))
}

/// Looks whether everything can be written, so that a typo is not told after an hour.
pub(crate) fn check<'a>(places: impl Iterator<Item = &'a Place>, out: &Out) -> Result<(), Failure> {
    let mut on_stdout = 0;
    for place in places {
        match place {
            Place::Stdout => on_stdout += 1,
            Place::Stderr => {}
            Place::File(file) => {
                let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                let why = match std::fs::metadata(folder) {
                    _ if file.is_dir() => "it is a folder".to_owned(),
                    Ok(folder) if folder.is_dir() => continue,
                    Ok(_) => format!("{} is no folder", folder.display()),
                    Err(error) => format!("{}: {error}", folder.display()),
                };
                let what = format!("no report can be written to {}: {why}", file.display());
                return Err(Failure::usage(what));
            }
        }
    }
    match on_stdout {
        0 => Ok(()),
        1 if !out.is_json() => Ok(()),
        1 => Err(Failure::usage("--json and a report on - share standard output")),
        _ => Err(Failure::usage("only one report can go to standard output")),
    }
}

impl Place {
    /// Puts a report there; answers why it could not be, in a sentence.
    pub(crate) fn write(&self, text: anyhow::Result<String>, out: &mut Out) -> Option<String> {
        let written = text.and_then(|text| match self {
            Self::Stdout => {
                let stdout = out.stdout();
                let written = stdout.write_all(text.as_bytes());
                written.and_then(|()| stdout.flush()).map_err(closed)
            }
            Self::Stderr => {
                out.annotate(&text);
                Ok(())
            }
            Self::File(file) => Ok(std::fs::write(file, text)?),
        });
        match written {
            Ok(()) => None,
            Err(error) if error.is::<ClosedPipe>() => None,
            Err(error) => Some(format!("cannot write {self}: {error:#}")),
        }
    }
}

/// Where the results go, known to be possible before anything is tried.
pub(crate) struct Reports {
    asked: Vec<Report>,
    /// Where a workflow of GitHub wants a summary of the job.
    summary: Option<PathBuf>,
}

impl ReportArgs {
    /// As they are typed.
    pub(crate) fn of(words: &[String]) -> Result<Self, String> {
        let reports = words.iter().map(|word| word.parse()).collect::<Result<_, _>>()?;
        Ok(Self { reports })
    }

    /// Looks whether everything can be written, so that a typo is not told after an hour.
    pub(crate) fn check(&self, out: &Out) -> Result<Reports, Failure> {
        check(self.reports.iter().map(|report| &report.place), out)?;
        let summary = std::env::var_os(SUMMARY).filter(|file| !file.is_empty());
        Ok(Reports { asked: self.reports.clone(), summary: summary.map(PathBuf::from) })
    }
}

impl Reports {
    /// Whether standard output is one of the reports, and nothing else may go there.
    pub(crate) fn take_stdout(&self) -> bool {
        self.asked.iter().any(|report| report.place == Place::Stdout)
    }

    /// Writes all of them; answers why one could not be written, each in a sentence. A reader of
    /// standard output who went away misses nothing.
    pub(crate) fn write(&self, results: &Results, out: &mut Out) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(file) = &self.summary
            && let Err(error) = append_summary(file, results)
        {
            faults.push(format!("cannot add to {SUMMARY}: {error:#}"));
        }
        for Report { format, place } in &self.asked {
            let written = match format {
                Format::Github => format.write(&annotated(results)),
                _ => format.write(results),
            };
            let written = written.map_err(anyhow::Error::from);
            faults.extend(place.write(written, out));
        }
        faults
    }
}

/// What annotations are made of: a line of a file that is not there, such as one that is part of the
/// program, cannot be shown with one.
fn annotated(results: &Results) -> Results {
    let case = |case: &Case| {
        let place = case.place.clone().filter(|place| Path::new(&place.file).is_file());
        Case { place, output: None, ..case.clone() }
    };
    let suite = |suite: &Suite| Suite {
        name: suite.name.clone(),
        cases: suite.cases.iter().map(case).collect(),
        ..Suite::default()
    };
    Results {
        title: results.title.clone(),
        tool: results.tool.clone(),
        suites: results.suites.iter().map(suite).collect(),
        ..*results
    }
}

/// Adds the summary to what other steps have written there.
fn append_summary(file: &Path, results: &Results) -> anyhow::Result<()> {
    let text = Format::Markdown.write(results)?;
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file)?;
    Ok(file.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use trialogue_report::results::{Outcome, Place as Line};

    use super::*;

    /// A bundled scenario is nowhere in the repository of whoever runs it.
    #[test]
    fn a_line_of_a_file_that_is_not_there_is_not_annotated() {
        let case = |file: &str| Case {
            id: "x".to_owned(),
            outcome: Outcome::Fail,
            place: Some(Line { file: file.to_owned(), line: 3, column: 5 }),
            ..Case::default()
        };
        let cases = vec![case("booking.scn.yaml"), case("Cargo.toml")];
        let results = Results {
            title: String::new(),
            tool: String::new(),
            started: SystemTime::UNIX_EPOCH,
            took: Duration::ZERO,
            complete: true,
            suites: vec![Suite { cases, ..Suite::default() }],
        };
        let text = Format::Github.write(&annotated(&results)).unwrap();
        assert_eq!(text.matches("::error ").count(), 2, "{text}");
        assert!(!text.contains("booking.scn.yaml"), "{text}");
        assert!(text.contains("file=Cargo.toml,line=3,col=5"), "{text}");
    }

    #[test]
    fn a_report_names_a_format_and_a_place() {
        let check = |text: &str, expect| assert_eq!(text.parse::<Report>(), expect);
        let file = |name: &str| Place::File(name.into());
        check("junit=a.xml", Ok(Report { format: Format::Junit, place: file("a.xml") }));
        check("md=a=b", Ok(Report { format: Format::Markdown, place: file("a=b") }));
        check("github", Ok(Report { format: Format::Github, place: Place::Stderr }));
        check("tap=-", Ok(Report { format: Format::Tap, place: Place::Stdout }));
        check("tap=", Err("tap= names no file".to_owned()));
        check("xml=a", Err("no format \"xml\": junit, json, tap, md, html, github".to_owned()));
        check("a.xml", Err("it is FORMAT=FILE, as in junit=out.xml".to_owned()));
    }
}
