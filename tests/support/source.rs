//! Just enough reading of Rust for `tests/tidy.rs`: where functions begin and end, which rooms a
//! file uses, which words stand in code rather than in comments or strings.

/// A Rust file: as written, and with comments, strings and characters blanked.
pub struct Source {
    pub path: String,
    pub lines: usize,
    code: String,
}

pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            lines: text.lines().count(),
            code: blanked(text),
        }
    }

    /// The first part of the path below `src/`; nothing for the crate's root, which knows all.
    pub fn room(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let room = below.split('/').next()?.trim_end_matches(".rs");
        (room != "lib").then_some(room)
    }

    fn line_at(&self, offset: usize) -> usize {
        1 + self.code[..offset].matches('\n').count()
    }

    /// Functions with a body; length from `fn` to the closing brace.
    pub fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for start in word_offsets(&self.code, "fn") {
            let rest = &self.code[start + 2..];
            let name: String = rest
                .trim_start()
                .chars()
                .take_while(|c| is_word(*c))
                .collect();
            let Some(open) = body_start(rest) else {
                continue;
            };
            // A function type has no name, a declaration no body.
            if name.is_empty() {
                continue;
            }
            let end = matching_brace(rest, open);
            let lines = 1 + rest[..end].matches('\n').count();
            found.push(Function {
                name,
                line: self.line_at(start),
                lines,
            });
        }
        found
    }

    /// Lines on which `word` stands in code.
    pub fn words(&self, word: &str) -> impl Iterator<Item = usize> {
        word_offsets(&self.code, word)
            .into_iter()
            .map(|offset| self.line_at(offset))
    }

    /// Lines on which the macro `name` is called.
    pub fn macro_calls(&self, name: &str) -> impl Iterator<Item = usize> {
        let calls = word_offsets(&self.code, name).into_iter();
        calls
            .filter(move |offset| self.code[offset + name.len()..].starts_with('!'))
            .map(|offset| self.line_at(offset))
    }

    /// Rooms named by paths from the crate's root, outside test code, with their lines.
    pub fn rooms_used(&self) -> Vec<(usize, String)> {
        let code = without_tests(&self.code);
        let below = self
            .path
            .trim_start_matches("src/")
            .trim_end_matches(".rs")
            .trim_end_matches("/mod");
        let up = "super::".repeat(below.split('/').count());
        let mut used = Vec::new();
        for root in ["crate::", "opencore::", up.as_str()] {
            for start in word_offsets(&code, root) {
                // A longer chain of `super::` is found at its own first word.
                if code[..start].ends_with("::") {
                    continue;
                }
                let line = self.line_at(start);
                used.extend(
                    first_names(&code[start + root.len()..])
                        .into_iter()
                        .map(|name| (line, name)),
                );
            }
        }
        used
    }
}

/// Files that are compiled for tests only.
pub fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "tests.rs" | "test.rs" | "testing.rs")
        || name.ends_with("_tests.rs")
        || path.contains("/tests/")
}

/// The rooms in the sentence of `src/lib.rs` that says where `unsafe` is allowed.
pub fn unsafe_rooms(map: &str) -> Option<Vec<String>> {
    let sentence = &map[map.find("`unsafe` is allowed in these rooms only")?..];
    let end = sentence
        .find("\n//!\n")
        .or(sentence.find("\n\n"))
        .unwrap_or(sentence.len());
    Some(
        sentence[..end]
            .split('`')
            .skip(3)
            .step_by(2)
            .map(str::to_owned)
            .collect(),
    )
}

/// Whether the line has an open end that names no issue as `(#number)`.
pub fn open_end_without_issue(line: &str) -> bool {
    [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX"),
    ]
    .iter()
    .any(|mark| {
        word_offsets(line, mark).iter().any(|offset| {
            let rest = &line[offset + mark.len()..];
            let number = rest
                .strip_prefix("(#")
                .and_then(|rest| rest.split_once(')'));
            !number.is_some_and(|(number, _)| {
                !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
            })
        })
    })
}

/// Whether the line has `path` as the start of an absolute path, not inside a longer one or an address.
pub fn has_absolute(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(offset, _)| {
        let before = line[..offset].chars().next_back();
        !before.is_some_and(|c| {
            is_word(c) || matches!(c, '.' | '-' | '/' | '}' | '~' | '$' | ')' | '*')
        })
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Offsets at which `word` stands alone; an end that is no word character is left open.
fn word_offsets(text: &str, word: &str) -> Vec<usize> {
    let closed = word.chars().next_back().is_some_and(is_word);
    let touches = |neighbour: Option<char>| neighbour.is_some_and(is_word);
    let found = text.match_indices(word).map(|(offset, _)| offset);
    found
        .filter(|&offset| !touches(text[..offset].chars().next_back()))
        .filter(|&offset| !closed || !touches(text[offset + word.len()..].chars().next()))
        .collect()
}

/// The brace that opens a function's body, unless a semicolon ends the declaration first.
fn body_start(rest: &str) -> Option<usize> {
    let mut depth = 0;
    for (offset, c) in rest.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(offset),
            ';' if depth == 0 => return None,
            _ if depth < 0 => return None,
            _ => {}
        }
    }
    None
}

/// The offset just past the brace that closes the one at `open`.
fn matching_brace(text: &str, open: usize) -> usize {
    let mut depth = 0;
    for (offset, c) in text[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + offset + 1;
        }
    }
    text.len()
}

/// The first names of a path or of each path in a group: `a::b` gives a, `{a::b, c}` gives a and c.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| is_word(*c))
            .collect()
    };
    let rest = rest.trim_start();
    if !rest.starts_with('{') {
        return vec![name(rest)];
    }
    let group = &rest[1..matching_brace(rest, 0).max(2) - 1];
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (offset, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&group[start..]));
                start = offset + 1;
            }
            _ => {}
        }
    }
    names.push(name(&group[start..]));
    names
}

/// Blanks every item under `#[cfg(test)]`, keeping the lines.
fn without_tests(code: &str) -> String {
    let mut kept = code.to_owned();
    while let Some(start) = ["#[cfg(test)]", "#[cfg(all(test"]
        .iter()
        .filter_map(|mark| kept.find(mark))
        .min()
    {
        let item = start + kept[start..].find(']').map_or(1, |end| end + 1);
        let rest = &kept[item..];
        let end = match body_start(rest) {
            Some(open) => item + matching_brace(rest, open),
            None => item + rest.find(';').map_or(rest.len(), |end| end + 1),
        };
        let blank: String = kept[start..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        kept.replace_range(start..end, &blank);
    }
    kept
}

/// The text with comments, strings and characters replaced by spaces; lines stay where they are.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = token_end(&chars, at);
        let keep = end == at + 1;
        code.extend(
            chars[at..end]
                .iter()
                .map(|&c| if keep || c == '\n' { c } else { ' ' }),
        );
        at = end;
    }
    code
}

/// Where the comment, string or character that begins at `at` ends; `at + 1` for plain code.
fn token_end(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied().unwrap_or('\0');
    let in_word = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if next(1) == '/' => chars[at..]
            .iter()
            .position(|&c| c == '\n')
            .map_or(chars.len(), |end| at + end),
        '/' if next(1) == '*' => block_comment_end(chars, at),
        '"' => quoted_end(chars, at + 1, '"'),
        'r' if !in_word || chars[at - 1] == 'b' || chars[at - 1] == 'c' => {
            raw_string_end(chars, at).unwrap_or(at + 1)
        }
        // A lifetime has no closing quote two or more characters on.
        '\'' if next(1) == '\\' => quoted_end(chars, at + 1, '\''),
        '\'' if next(2) == '\'' => at + 3,
        _ => at + 1,
    }
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut end) = (0, at);
    while end < chars.len() {
        match (chars[end], chars.get(end + 1)) {
            ('/', Some('*')) => (depth, end) = (depth + 1, end + 2),
            ('*', Some('/')) => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            return end;
        }
    }
    chars.len()
}

fn quoted_end(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of `r"…"` or `r#"…"#`; nothing when no raw string begins here.
fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |end: usize| {
        chars[end] == '"'
            && chars[end + 1..]
                .iter()
                .take(hashes)
                .filter(|&&c| c == '#')
                .count()
                == hashes
    };
    Some(
        (open + 1..chars.len())
            .find(|&end| closes(end))
            .map_or(chars.len(), |end| end + 1 + hashes),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_comments_and_strings_are_no_code() {
        let text = "// unsafe\n/* unsafe /* unsafe */ unsafe */ \"unsafe\" r#\"unsafe \" unsafe\"# 'u' '\\'' <'a>\nunsafe {}\n";
        let source = Source::new("src/a.rs", text);
        assert_eq!(source.words("unsafe").collect::<Vec<_>>(), [3]);
        assert!(
            Source::new("src/a.rs", "unsafe_op(); unsafety()")
                .words("unsafe")
                .next()
                .is_none()
        );
        assert_eq!(
            Source::new("src/a.rs", "let dbg = 1;\ndbg!(dbg);")
                .macro_calls("dbg")
                .collect::<Vec<_>>(),
            [2]
        );
    }

    #[test]
    fn rooms_are_found_in_every_form_of_path() {
        let text = "use crate::{error::{Error, Code}, limits};\nfn a() { crate::session::b() }\nuse super::super::auth;\n\
                    #[cfg(test)]\nmod tests {\n    use crate::runtime;\n}\nuse crate::wire;\n";
        let used = Source::new("src/wire/frame.rs", text).rooms_used();
        let expected = [
            (1, "error"),
            (1, "limits"),
            (2, "session"),
            (8, "wire"),
            (3, "auth"),
        ];
        assert_eq!(used, expected.map(|(line, room)| (line, room.to_owned())));
    }

    #[test]
    fn open_ends_paths_and_rooms_are_read() {
        assert!(open_end_without_issue(concat!("// TO", "DO: later")));
        assert!(open_end_without_issue(concat!("// TO", "DO(#): later")));
        assert!(!open_end_without_issue("// TODO(#12): later"));
        assert!(has_absolute("see '/opt/x'", "/opt/"));
        assert!(!has_absolute("a/opt/x $D/opt/x", "/opt/"));
        let map = "//! `unsafe` is allowed in these rooms only, with a reason: `a/b`,\n//! `c`.\n//!\n//! `d`\n";
        assert_eq!(unsafe_rooms(map).unwrap(), ["a/b", "c"]);
    }
}
