//! Lines, columns and tokens of a text.

/// Byte order mark at the beginning of some files; it takes no column.
const BOM: char = '\u{feff}';

/// The offset of the first byte of the line with this offset.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    let start = text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    if start == 0 && text.starts_with(BOM) { BOM.len_utf8().min(offset) } else { start }
}

/// The offset after the line in which a value ends. A block scalar ends at the start of the next line, or after its
/// indentation.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    let start = line_start(text, offset);
    if start > 0 && text.get(start..offset).is_some_and(|before| before.bytes().all(|byte| byte == b' ')) {
        return start;
    }
    text.get(offset..).and_then(|behind| behind.find('\n')).map_or(text.len(), |end| offset + end + 1)
}

/// The distance of an offset from the beginning of its line, in bytes: only ASCII characters precede a key or a dash.
pub(super) fn column(text: &str, offset: usize) -> usize {
    offset.saturating_sub(line_start(text, offset))
}

/// True if only spaces precede an offset in its line.
pub(super) fn is_first_of_line(text: &str, offset: usize) -> bool {
    let before = text.get(line_start(text, offset)..offset).unwrap_or_default();
    before.bytes().all(|byte| byte == b' ')
}

/// True if only a comment follows an offset in its line.
pub(super) fn is_last_of_line(text: &str, offset: usize) -> bool {
    let rest = text.get(offset..).unwrap_or_default();
    let rest = rest.split('\n').next().unwrap_or_default().trim_end();
    rest.is_empty() || rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#')
}

/// The line break of a text: that of its first line.
pub(super) fn line_break(text: &str) -> &'static str {
    if text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r')) { "\r\n" } else { "\n" }
}

/// The offset of the next byte that is no white space, comment, anchor or tag.
pub(super) fn token(text: &str, mut offset: usize) -> usize {
    loop {
        let rest = text.get(offset..).unwrap_or_default();
        let space = rest.len() - rest.trim_start().len();
        let rest = rest.get(space..).unwrap_or_default();
        let before = text.get(..offset).unwrap_or_default();
        let is_apart = space > 0 || before.is_empty() || before.ends_with(char::is_whitespace);
        let skipped = match rest.chars().next() {
            Some('#') if is_apart => rest.find('\n').unwrap_or(rest.len()),
            Some('&' | '!') => rest.find(char::is_whitespace).unwrap_or(rest.len()),
            _ => return offset + space,
        };
        offset += space + skipped;
    }
}

/// The offset above the comments directly above a line: they belong to it.
pub(super) fn above_comments(text: &str, mut start: usize) -> usize {
    while start > 0 {
        let above = line_start(text, start - 1);
        let is_comment = text.get(above..start).is_some_and(|line| line.trim_start().starts_with('#'));
        if !is_comment || above == start {
            break;
        }
        start = above;
    }
    start
}

/// The offset below the comments that follow a line and are indented deeper than this column: they belong to the value
/// that ends there.
pub(super) fn below_comments(text: &str, mut end: usize, column: usize) -> usize {
    while let Some(line) = text.get(end..).and_then(|rest| rest.split_inclusive('\n').next()) {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if indent <= column || !line.trim_start().starts_with('#') {
            break;
        }
        end += line.len();
    }
    end
}

/// Lines, each indented to a column, the first one included.
pub(super) fn indented(lines: &str, column: usize, line_break: &str) -> String {
    let indent = " ".repeat(column);
    let line = |line: &str| match line.trim_end_matches('\r') {
        "" => line_break.to_owned(),
        line => format!("{indent}{line}{line_break}"),
    };
    lines.lines().map(line).collect()
}
