//! Text in which no line is broken within the arrow of a hop, `page cache->user`.

use crate::report::xml::escaped;

/// The text for an element; its spaces become single ones.
pub(super) fn unbroken(text: &str) -> String {
    let word = |word: &str| {
        let is_hop = word.contains("->");
        let word = escaped(word);
        if is_hop { format!("<span class=\"hop\">{word}</span>") } else { word }
    };
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::unbroken;

    #[test]
    fn an_arrow_and_its_neighbours_stay_on_a_line() {
        let hop = "page <span class=\"hop\">cache-&gt;user</span> &lt;b&gt;";
        assert_eq!(unbroken("page  cache->user <b>"), hop);
    }
}
