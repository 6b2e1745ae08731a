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

/// Folded text in the form that searches compare: two spaces before each word and none elsewhere. A word begins where a
/// letter or digit follows anything else, so `so-42` holds the words `so` and `42`.
pub fn spaced(folded: &str) -> String {
    let mut text = String::with_capacity(folded.len() + folded.len() / 2);
    let mut within = false;
    for c in folded.chars() {
        let belongs = c.is_alphanumeric();
        if belongs && !within {
            text.push_str("  ");
        }
        if !c.is_whitespace() {
            text.push(c);
        }
        within = belongs;
    }
    text
}

/// What a search for `term` looks for in [`spaced`] text: the term anywhere, but one or two letters only where a word begins,
/// as an index of three letters in a row can find nothing shorter. Blank when nothing is left of the term.
pub fn needle(term: &str) -> String {
    let spaced = spaced(&fold(term));
    let bare = spaced.trim_start_matches(' ');
    // Scripts without spaces and case, such as Chinese, say a word in two characters.
    let begins_a_word = bare.len() < spaced.len() && bare.chars().all(|c| c < '\u{2e80}');
    let from = match bare.chars().count() {
        1 if begins_a_word => 0,
        2 if begins_a_word => 1,
        _ => spaced.len() - bare.len(),
    };
    spaced.get(from..).unwrap_or_default().to_owned()
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
    fn short_terms_begin_a_word_and_longer_ones_stand_anywhere() {
        let text = spaced(&fold("SO-2026-00042\nAlder & Sons, 東京都"));
        assert_eq!(text, "  so-  2026-  00042  alder&  sons,  東京都");
        for found in ["so-2026", "026-000", "A", "al", "& sons", "&", "00042\u{a0}alder", "lder", "京都", "S"] {
            assert!(text.contains(&needle(found)), "{found}");
        }
        for missed in ["o", "ld", "26", "x", "sonsx"] {
            assert!(!text.contains(&needle(missed)), "{missed}");
        }
        assert_eq!(needle("\u{301}"), "");
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
