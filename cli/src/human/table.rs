//! Columns for eyes. Programs read `--json`.

use unicode_width::UnicodeWidthStr;

/// Space between two columns, in cells.
const GAP: usize = 2;

/// Lays rows out in columns as wide as their widest cell; the last one is as long as it is.
///
/// Cells must be single lines that have passed `sanitize`.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(UnicodeWidthStr::width);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    let lines =
        std::iter::once(head).chain(rows.iter().map(|row| row.each_ref().map(String::as_str)));
    let lines: Vec<String> = lines.map(|row| line(row, &widths)).collect();
    lines.join("\n")
}

fn line<const N: usize>(row: [&str; N], widths: &[usize; N]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        line.push_str(cell);
        // `format!`'s own padding counts characters, not cells.
        line.extend(std::iter::repeat_n(' ', width - cell.width() + GAP));
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_cells_and_not_by_characters() {
        let rows = [["漢字".to_owned(), "a".to_owned()], ["é".to_owned(), "b".to_owned()]];
        assert_eq!(table(["WHO", ""], &rows), "WHO\n漢字  a\né     b");
    }
}
