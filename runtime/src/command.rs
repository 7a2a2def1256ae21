//! A command line as the arguments of a guest's program. There is no shell on a cell: words, quotes, `\` and `$NAME` mean what
//! they mean to one; whatever would need one is refused by name.

/// Characters that would need a shell, outside of quotes.
const OPERATORS: &[char] = &['|', '&', ';', '<', '>', '(', ')', '`'];

/// The words of a command line, variables filled in. They are the program's arguments as they stand: the first is what it sees
/// as its own name.
///
/// # Errors
/// A text that says what in it cannot be run.
pub fn words(line: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut rest = line.chars().peekable();
    while let Some(found) = rest.next() {
        match (quote, found) {
            (Some(open), close) if open == close => quote = None,
            (Some('\''), plain) => word.get_or_insert_default().push(plain),
            (_, '$') => match name(&mut rest)? {
                Some(name) => {
                    let value = variable(&name).unwrap_or_default();
                    if quote.is_some() || !value.is_empty() {
                        word.get_or_insert_default().push_str(&value);
                    }
                }
                None => word.get_or_insert_default().push('$'),
            },
            (Some(_), '`') => return Err(needs_a_shell('`')),
            (Some(_), '\\') => match rest.next_if(|next| matches!(next, '"' | '\\' | '$' | '`')) {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => word.get_or_insert_default().push('\\'),
            },
            (None, '\\') => word.get_or_insert_default().extend(rest.next()),
            (Some(_), plain) => word.get_or_insert_default().push(plain),
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                quote = Some(found);
            }
            (None, space) if space.is_whitespace() => words.extend(word.take()),
            (None, operator) if OPERATORS.contains(&operator) => return Err(needs_a_shell(operator)),
            (None, plain) => word.get_or_insert_default().push(plain),
        }
    }
    if let Some(open) = quote {
        return Err(format!("the quote {open} in its command is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// The name after a `$`; `None` where it stands for itself.
fn name(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<String>, String> {
    let is_braced = rest.next_if_eq(&'{').is_some();
    if !is_braced && rest.peek() == Some(&'(') {
        return Err(needs_a_shell('('));
    }
    let mut name = String::new();
    while let Some(next) = rest.next_if(|next| next.is_ascii_alphanumeric() || *next == '_') {
        name.push(next);
    }
    if is_braced && rest.next() != Some('}') {
        return Err("a ${…} in its command is more than the name of a variable, which would need a shell; there is none here".to_owned());
    }
    Ok((is_braced || !name.is_empty()).then_some(name))
}

fn needs_a_shell(operator: char) -> String {
    format!("its command has a '{operator}', which needs a shell; there is none here")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Vec<String>, String> {
        words(line, |name| (name == "PORT").then(|| "8080".to_owned()))
    }

    #[test]
    fn words_quotes_and_variables_are_a_shells() {
        assert_eq!(run("serve --port $PORT -x=${PORT}1").unwrap(), ["serve", "--port", "8080", "-x=80801"]);
        assert_eq!(run(r#"  a "b $PORT" 'c $PORT' d\ e "" "#).unwrap(), ["a", "b 8080", "c $PORT", "d e", ""]);
        assert_eq!(run(r#"say "a\"b\n" 5$ $MISSING x$MISSING"#).unwrap(), ["say", "a\"b\\n", "5$", "x"]);
        assert!(run(" ").unwrap().is_empty());
    }

    #[test]
    fn what_needs_a_shell_is_refused_by_name() {
        for (line, what) in
            [("a && b", "'&'"), ("a > b", "'>'"), ("a $(b)", "'('"), ("a `b`", "'`'"), ("a \"`b`\"", "'`'"), ("a; b", "';'")]
        {
            assert!(run(line).unwrap_err().contains(what), "{line}");
        }
        assert!(run("a 'b").unwrap_err().contains("not closed"));
        assert!(run("a ${b:-c}").unwrap_err().contains("${…}"));
        assert_eq!(run("a 'b && c'").unwrap(), ["a", "b && c"]);
    }
}
