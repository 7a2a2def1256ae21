//! Semantic versions (semver.org 2.0.0), as far as one has to be told from other texts.

/// `1.2.3`, `1.2.3-rc.1+build.5`.
pub(super) fn is_version(text: &str) -> bool {
    let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, before) = rest.split_once('-').map_or((rest, None), |(core, before)| (core, Some(before)));
    let numbers: Vec<_> = core.split('.').collect();
    numbers.len() == 3
        && numbers.iter().all(|number| is_number(number))
        && before.is_none_or(|before| before.split('.').all(|part| is_identifier(part) && (!is_digits(part) || is_number(part))))
        && build.is_none_or(|build| build.split('.').all(is_identifier))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    is_digits(text) && (text == "0" || !text.starts_with('0'))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn versions_are_told_from_other_texts() {
        for text in ["0.0.0", "1.2.3", "10.20.30", "1.2.3-rc.1", "1.2.3+5", "1.2.3--x.0+00", "1.0.0-0a"] {
            assert!(is_version(text), "{text}");
        }
        for text in ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "v1.2.3", "1.2.x", "1.2.3-a..b", " 1.2.3"] {
            assert!(!is_version(text), "{text}");
        }
    }
}
