//! The rows of a list, as text.
//!
//! A list has hundreds of cells, and none of them listens or changes by itself. A view for each would be most of what a list page
//! costs, on the server and once more in the browser; so cells say what they mean in a few words ([`Said`]), and all of them are
//! written down in one go, the same on both sides.

use html_escape::encode_double_quoted_attribute_to_string as escaped;

use super::table::Column;
use crate::base::record::Row;

/// What a cell of a list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Text(String),
    /// What somebody called something, in whichever direction it is written.
    Name(String),
    /// A name that leads to an address of ours.
    Link {
        href: String,
        name: String,
    },
    /// A state.
    Badge {
        shape: &'static str,
        text: &'static str,
    },
    Amount {
        number: String,
        currency: String,
    },
}

impl Said {
    /// A state by its shape, which is a class, and in words.
    pub fn badge((shape, text): (&'static str, &'static str)) -> Self {
        Self::Badge { shape, text }
    }

    fn write(&self, html: &mut String) {
        match self {
            Said::Text(text) => drop(escaped(text, html)),
            Said::Name(name) => name_of(name, html),
            Said::Link { href, name } => {
                html.push_str("<a class=\"over\" href=\"");
                escaped(href, html);
                html.push_str("\">");
                name_of(name, html);
                html.push_str("</a>");
            }
            Said::Badge { shape, text } => {
                html.push_str("<span class=\"badge ");
                escaped(shape, html);
                html.push_str("\">");
                escaped(text, html);
                html.push_str("</span>");
            }
            Said::Amount { number, currency } => {
                escaped(number, html);
                html.push_str(" <span class=\"faint\">");
                escaped(currency, html);
                html.push_str("</span>");
            }
        }
    }
}

fn name_of(name: &str, html: &mut String) {
    html.push_str("<bdi>");
    escaped(name, html);
    html.push_str("</bdi>");
}

/// What stands in the body of a list's table: a row for each record, whose first cell leads to its address.
pub fn written<'a>(columns: &[Column], records: impl ExactSizeIterator<Item = (String, &'a Row)>) -> String {
    let mut html = String::with_capacity(records.len() * columns.len() * 64);
    for (href, row) in records {
        html.push_str("<tr>");
        for (place, column) in columns.iter().enumerate() {
            html.push_str("<td class=\"");
            escaped(column.class, &mut html);
            html.push_str("\">");
            if place == 0 {
                html.push_str("<a class=\"key\" href=\"");
                escaped(&href, &mut html);
                html.push_str("\">");
            }
            (column.cell)(row).write(&mut html);
            html.push_str(if place == 0 { "</a></td>" } else { "</td>" });
        }
        html.push_str("</tr>");
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_somebody_typed_is_taken_for_html() {
        let typed = || "<b>\"&'</b>".to_owned();
        let safe = "&lt;b&gt;&quot;&amp;'&lt;/b&gt;";
        let written = |said: Said| {
            let mut html = String::new();
            said.write(&mut html);
            html
        };
        assert_eq!(written(Said::Text(typed())), safe);
        assert_eq!(written(Said::Name(typed())), format!("<bdi>{safe}</bdi>"));
        assert_eq!(
            written(Said::Amount { number: typed(), currency: typed() }),
            format!("{safe} <span class=\"faint\">{safe}</span>")
        );
        assert_eq!(
            written(Said::Link { href: typed(), name: typed() }),
            format!("<a class=\"over\" href=\"{safe}\"><bdi>{safe}</bdi></a>")
        );
    }
}
