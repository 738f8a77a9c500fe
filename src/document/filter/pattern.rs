//! Regular expressions of users, in linear time and bounded memory (contract 16, defect 17).

use bson::raw::RawBsonRef;
use regex::{Regex, RegexBuilder};

use crate::error::{Code, Error, Result};
use crate::limits;

/// A compiled expression with the text it came from.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    source: String,
    options: String,
    regex: Regex,
}

impl Pattern {
    /// Matches texts, and the same expression stored as a value.
    pub fn matches(&self, value: RawBsonRef<'_>) -> bool {
        match value {
            RawBsonRef::String(text) | RawBsonRef::Symbol(text) => self.regex.is_match(text),
            RawBsonRef::RegularExpression(regex) => {
                regex.pattern.as_str() == self.source && regex.options.as_str() == self.options
            }
            _ => false,
        }
    }
}

/// The expressions of one filter: the same one is compiled once, and all together are bounded.
#[derive(Default)]
pub(super) struct Patterns {
    known: Vec<Pattern>,
    large_count: usize,
}

impl Patterns {
    /// Errors: `Invalid` for bad syntax, unknown options and what takes more than linear time
    /// (look-around, backreferences); `TooLarge` above the bounds of `limits.rs`.
    pub fn compile(&mut self, source: &str, options: &str) -> Result<Pattern> {
        if let Some(known) = self
            .known
            .iter()
            .find(|known| known.source == source && known.options == options)
        {
            return Ok(known.clone());
        }
        if source.len() > limits::REGEX_BYTES_MAX {
            return Err(Error::too_large(format!(
                "Regular expression is {} bytes long; the bound is {}",
                source.len(),
                limits::REGEX_BYTES_MAX
            )));
        }
        if self.known.len() == limits::FILTER_REGEXES_MAX {
            return Err(Error::too_large(format!(
                "A filter may hold {} different regular expressions",
                limits::FILTER_REGEXES_MAX
            )));
        }
        if let Some(flag) = options.chars().find(|flag| !"imsxu".contains(*flag)) {
            return Err(Error::invalid(format!(
                "invalid flag in regex options: {flag}"
            )));
        }
        let regex = match build(source, options, limits::REGEX_SMALL_BYTES_MAX) {
            Err(regex::Error::CompiledTooBig(_))
                if self.large_count < limits::FILTER_LARGE_REGEXES_MAX =>
            {
                self.large_count += 1;
                build(source, options, limits::REGEX_COMPILED_BYTES_MAX)
            }
            built => built,
        };
        let pattern = Pattern {
            source: source.to_owned(),
            options: options.to_owned(),
            regex: regex.map_err(|error| refused(source, error))?,
        };
        self.known.push(pattern.clone());
        Ok(pattern)
    }
}

fn build(
    source: &str,
    options: &str,
    compiled_bytes_max: usize,
) -> std::result::Result<Regex, regex::Error> {
    RegexBuilder::new(&translate(source))
        .case_insensitive(options.contains('i'))
        .multi_line(options.contains('m'))
        .dot_matches_new_line(options.contains('s'))
        .ignore_whitespace(options.contains('x'))
        .nest_limit(limits::NESTING_MAX as u32)
        .size_limit(compiled_bytes_max)
        .dfa_size_limit(compiled_bytes_max)
        .build()
}

fn refused(source: &str, error: regex::Error) -> Error {
    let code = match error {
        regex::Error::CompiledTooBig(_) => Code::TooLarge,
        _ => Code::Invalid,
    };
    let shown: String = source.chars().take(100).collect();
    // The library prints the pattern and marks the place on lines of their own; its last line says why.
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    Error::client(
        code,
        format!("Regular expression /{shown}/ is refused: {reason}"),
    )
    .because(error)
}

/// Spells what JavaScript and PCRE read as plain characters, and our library as syntax of its own,
/// so that it reads them plainly too.
fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 8);
    let mut in_class = false;
    let mut last = ' ';
    let mut rest = source.char_indices().peekable();
    while let Some((at, mark)) = rest.next() {
        match mark {
            '\\' => {
                match rest.next() {
                    // Ends of words here, angle brackets there.
                    Some((_, angle @ ('<' | '>'))) => out.push(angle),
                    Some((_, escaped)) => out.extend(['\\', escaped]),
                    None => out.push('\\'),
                }
                last = ' ';
                continue;
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // A bracket that directly follows is a member, not the end.
                for lead in ['^', ']'] {
                    if rest.next_if(|(_, next)| *next == lead).is_some() {
                        out.push_str(if lead == ']' { "\\]" } else { "^" });
                    }
                }
                last = ' ';
                continue;
            }
            '[' if !source[at..].starts_with("[:") => out.push_str("\\["),
            '[' => match source[at..].find(":]") {
                Some(length) => {
                    out.push_str(&source[at..at + length + 2]);
                    while rest.next_if(|(next, _)| *next < at + length + 2).is_some() {}
                }
                None => out.push_str("\\["),
            },
            ']' => {
                in_class = false;
                out.push(']');
            }
            // Two in a row are set operations here.
            '&' | '~' | '-' if in_class && last == mark => out.extend(['\\', mark]),
            '{' if !in_class && !is_quantifier(&source[at..]) => out.push_str("\\{"),
            mark => out.push(mark),
        }
        last = mark;
    }
    out
}

/// Whether the text begins with `{n}`, `{n,}` or `{n,m}`.
fn is_quantifier(text: &str) -> bool {
    let Some((inner, _)) = text[1..].split_once('}') else {
        return false;
    };
    let (low, high) = inner.split_once(',').unwrap_or((inner, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(source: &str, options: &str, text: &str) -> bool {
        Patterns::default()
            .compile(source, options)
            .unwrap()
            .matches(RawBsonRef::String(text))
    }

    #[test]
    fn options_have_mongodbs_meaning() {
        assert!(!matches("ABC", "", "xabcx"));
        assert!(matches("ABC", "i", "xabcx"));
        assert!(!matches("^b", "", "a\nb"));
        assert!(matches("^b", "m", "a\nb"));
        assert!(!matches("a.b", "", "a\nb"));
        assert!(matches("a.b", "s", "a\nb"));
        assert!(matches("a b # c", "x", "ab"));
        assert!(matches("å", "i", "Å"));
    }

    #[test]
    fn javascript_spelling_is_understood() {
        assert!(matches(r"a\/b", "", "a/b"));
        assert!(matches("a{", "", "a{"));
        assert!(matches("^a{2,3}$", "", "aaa"));
        assert!(matches("{name}", "", "{name}"));
        assert!(matches("^[[]x[]]$", "", "[x]"));
        assert!(matches("^[^]]$", "", "a"));
        assert!(matches("^[a&&b]+$", "", "a&b"));
        assert!(matches(r"\<b\>", "", "<b>"));
        assert!(matches("^[[:digit:]-]+$", "", "1-2"));
        assert!(matches("^[a-c]$", "", "b"));
    }

    #[test]
    fn what_is_not_linear_is_refused_with_the_reason() {
        for (source, reason) in [
            (r"(a)\1", "backreferences are not supported"),
            ("(?=a)b", "look-around"),
            ("(?<!a)b", "look-around"),
            ("(a", "unclosed group"),
            ("*", "repetition operator missing expression"),
        ] {
            let error = Patterns::default().compile(source, "").unwrap_err();
            assert_eq!(error.code, Code::Invalid, "{source}");
            assert!(error.context.contains(reason), "{}", error.context);
            assert!(error.context.contains(source), "{}", error.context);
        }
        assert!(
            Patterns::default()
                .compile("a", "iq")
                .unwrap_err()
                .context
                .contains("invalid flag in regex options: q")
        );
    }

    #[test]
    fn sizes_are_bounded() {
        let code = |source: &str| Patterns::default().compile(source, "").unwrap_err().code;
        assert_eq!(
            code(&"a".repeat(limits::REGEX_BYTES_MAX + 1)),
            Code::TooLarge
        );
        assert_eq!(code(r"(\w{100}){100}"), Code::TooLarge);
        assert_eq!(code(&"(".repeat(30_000)), Code::Invalid);
        let mut patterns = Patterns::default();
        for index in 0..limits::FILTER_REGEXES_MAX {
            patterns.compile(&format!("a{index}"), "").unwrap();
        }
        patterns.compile("a0", "").unwrap();
        assert_eq!(patterns.compile("b", "").unwrap_err().code, Code::TooLarge);
    }

    #[test]
    fn hostile_texts_take_linear_time() {
        // Exponential for a backtracking engine.
        assert!(!matches("^(a+)+$", "", &("a".repeat(100_000) + "!")));
    }
}
