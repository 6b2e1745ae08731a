//! Folding: the form of a text in which case and accents do not count.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Lower case without accents, for search: `Café` and `CAFE` fold alike.
pub fn fold(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// The key of a value that is unique whatever its case: accents count, case does not.
pub fn key(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// A substring pattern for `LIKE … ESCAPE '\'` that matches `text` literally.
pub fn like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_count_in_search() {
        assert_eq!(fold("Taquería ÅNGSTRÖM"), "taqueria angstrom");
        assert_eq!(fold("Cafe\u{301}"), fold("CAFÉ"));
    }

    #[test]
    fn accents_count_in_keys() {
        assert_eq!(key("É-1"), key("é-1"));
        assert_ne!(key("É-1"), key("e-1"));
    }

    #[test]
    fn wildcards_are_searched_literally() {
        assert_eq!(like(r"50%_\"), r"%50\%\_\\%");
    }
}
