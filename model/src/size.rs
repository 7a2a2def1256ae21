//! Sizes as manifests and the `cf` CLI write them (`64M`, `1GB`), in the units the API uses.

/// A size that could not be read; the text says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB")]
pub struct InvalidSize;

/// Bytes from a number with a unit; a bare number has no unit and is refused, as in Cloud Foundry.
///
/// # Errors
/// [`InvalidSize`] for anything else, including overflow and negative sizes.
pub fn parse_bytes(text: &str) -> Result<u64, InvalidSize> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(InvalidSize)?;
    let number: u64 = number.parse().map_err(|_| InvalidSize)?;
    let shift = match unit.trim().to_ascii_uppercase().as_str() {
        "B" => 0,
        "K" | "KB" => 10,
        "M" | "MB" => 20,
        "G" | "GB" => 30,
        "T" | "TB" => 40,
        _ => return Err(InvalidSize),
    };
    number.checked_mul(1 << shift).ok_or(InvalidSize)
}

/// Whole megabytes (MiB, which Cloud Foundry calls MB) from a size with a unit.
///
/// # Errors
/// [`InvalidSize`] as [`parse_bytes`], and for anything under one megabyte.
pub fn parse_megabytes(text: &str) -> Result<u64, InvalidSize> {
    match parse_bytes(text)? >> 20 {
        0 => Err(InvalidSize),
        megabytes => Ok(megabytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_need_a_unit() {
        assert_eq!(parse_megabytes("64M"), Ok(64));
        assert_eq!(parse_megabytes("1GB"), Ok(1024));
        assert_eq!(parse_bytes("16K"), Ok(16384));
        for bad in ["64", "", "M", "-1M", "1.5G", "99999999999999T", "1K"] {
            assert_eq!(parse_megabytes(bad), Err(InvalidSize), "{bad}");
        }
    }
}
