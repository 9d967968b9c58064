//! Narrow or wide: the one place that decides how a level of a query is read.
//!
//! Every question has a narrow read (one call per key) and a wide one (one call per page of the
//! fleet's list). Taking the cheaper makes the cost of a level `min(keys, pages)`, never the number
//! of rows.

/// How to read what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// One call per key.
    Narrow,
    /// The whole list.
    Wide,
    /// The list's first page, to learn how many pages there are; then choose again.
    Probe,
}

/// Chooses for `narrow_calls` calls against a list of `pages` pages, of which `pages_in_hand` were
/// read already.
pub(super) fn choose(narrow_calls: usize, pages: Option<u32>, pages_in_hand: u32) -> Choice {
    match pages {
        // A single call can't be beaten, only equalled, and it moves the fewest rows.
        None if narrow_calls <= 1 => Choice::Narrow,
        None => Choice::Probe,
        Some(pages) => {
            let wide_calls = pages.saturating_sub(pages_in_hand) as usize;
            // On a tie the wide read wins: it also answers whoever asks next.
            if narrow_calls < wide_calls {
                Choice::Narrow
            } else {
                Choice::Wide
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_is_read_narrowly_until_the_list_is_known_to_be_one_page() {
        assert_eq!(choose(1, None, 0), Choice::Narrow);
        assert_eq!(choose(1, Some(20), 0), Choice::Narrow);
        assert_eq!(choose(1, Some(1), 0), Choice::Wide);
    }

    #[test]
    fn many_keys_are_read_from_the_list_unless_it_has_more_pages_than_they_are() {
        assert_eq!(choose(30, None, 0), Choice::Probe);
        assert_eq!(choose(30, Some(20), 0), Choice::Wide);
        assert_eq!(choose(3, Some(20), 1), Choice::Narrow);
    }

    #[test]
    fn a_page_in_hand_counts_for_the_list() {
        assert_eq!(choose(2, Some(3), 0), Choice::Narrow);
        assert_eq!(choose(2, Some(3), 1), Choice::Wide);
    }

    #[test]
    fn a_level_never_costs_more_than_the_cheaper_way_and_the_probe() {
        for keys in 1..40usize {
            for pages in 1..40u32 {
                let known = match choose(keys, Some(pages), 0) {
                    Choice::Narrow => keys,
                    _ => pages as usize,
                };
                assert_eq!(
                    known,
                    keys.min(pages as usize),
                    "{keys} keys, {pages} pages"
                );
                let cold = match choose(keys, None, 0) {
                    Choice::Narrow => keys,
                    _ => {
                        1 + match choose(keys, Some(pages), 1) {
                            Choice::Narrow => keys,
                            _ => pages as usize - 1,
                        }
                    }
                };
                assert!(
                    cold <= keys.min(pages as usize) + 1,
                    "{keys} keys, {pages} pages: {cold}"
                );
            }
        }
    }
}
