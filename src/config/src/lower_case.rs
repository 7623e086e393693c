//! Letters in lower case, as `char::to_lowercase` has them, for the scripts that names may be in.
//!
//! The standard library's table for all of Unicode would be a fiftieth of the plugin. A test compares with it.

/// Runs of upper-case letters: the first and the last, the distance between two, and what is added for the lower-case one.
const UPPER_CASE: [(u32, u32, u32, i32); 62] = [
    (0xc0, 0xd6, 1, 32),
    (0xd8, 0xde, 1, 32),
    (0x100, 0x12e, 2, 1),
    (0x134, 0x136, 2, 1),
    (0x139, 0x13d, 2, 1),
    (0x141, 0x147, 2, 1),
    (0x14a, 0x176, 2, 1),
    (0x178, 0x178, 1, -121),
    (0x179, 0x17d, 2, 1),
    (0x181, 0x181, 1, 210),
    (0x182, 0x184, 2, 1),
    (0x186, 0x186, 1, 206),
    (0x187, 0x187, 1, 1),
    (0x189, 0x18a, 1, 205),
    (0x18b, 0x18b, 1, 1),
    (0x18e, 0x18e, 1, 79),
    (0x18f, 0x18f, 1, 202),
    (0x190, 0x190, 1, 203),
    (0x191, 0x191, 1, 1),
    (0x193, 0x193, 1, 205),
    (0x194, 0x194, 1, 207),
    (0x196, 0x196, 1, 211),
    (0x197, 0x197, 1, 209),
    (0x198, 0x198, 1, 1),
    (0x19c, 0x19c, 1, 211),
    (0x19d, 0x19d, 1, 213),
    (0x19f, 0x19f, 1, 214),
    (0x1a0, 0x1a4, 2, 1),
    (0x1a6, 0x1a6, 1, 218),
    (0x1a7, 0x1a7, 1, 1),
    (0x1a9, 0x1a9, 1, 218),
    (0x1ac, 0x1ac, 1, 1),
    (0x1ae, 0x1ae, 1, 218),
    (0x1af, 0x1af, 1, 1),
    (0x1b1, 0x1b2, 1, 217),
    (0x1b3, 0x1b5, 2, 1),
    (0x1b7, 0x1b7, 1, 219),
    (0x1b8, 0x1b8, 1, 1),
    (0x1bc, 0x1bc, 1, 1),
    (0x1cd, 0x1db, 2, 1),
    (0x1de, 0x1ee, 2, 1),
    (0x1f6, 0x1f6, 1, -97),
    (0x1f7, 0x1f7, 1, -56),
    (0x220, 0x220, 1, -130),
    (0x23d, 0x23d, 1, -163),
    (0x243, 0x243, 1, -195),
    (0x386, 0x386, 1, 38),
    (0x388, 0x38a, 1, 37),
    (0x38c, 0x38c, 1, 64),
    (0x38e, 0x38f, 1, 63),
    (0x391, 0x3a1, 1, 32),
    (0x3a3, 0x3ab, 1, 32),
    (0x3f4, 0x3f4, 1, -60),
    (0x400, 0x40f, 1, 80),
    (0x410, 0x42f, 1, 32),
    (0x460, 0x480, 2, 1),
    (0x531, 0x556, 1, 48),
    (0x1e9e, 0x1e9e, 1, -7615),
    (0x2126, 0x2126, 1, -7517),
    (0x212a, 0x212a, 1, -8383),
    (0x212b, 0x212b, 1, -8262),
    (0xa7dc, 0xa7dc, 1, -42561),
];

/// The letter in lower case. Other characters, and letters of scripts that no name may be in, stay what they are.
pub(super) fn lower_case(letter: char) -> char {
    let code = u32::from(letter);
    let is_in = |(first, last, step, _): &&(u32, u32, u32, i32)| {
        (*first..=*last).contains(&code) && code.abs_diff(*first).is_multiple_of(*step)
    };
    let lower = UPPER_CASE.iter().find(is_in).and_then(|(.., offset)| code.checked_add_signed(*offset));
    lower.and_then(char::from_u32).unwrap_or(letter.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::domain::is_letter;

    /// The dotted İ becomes two characters, of which the second is no letter.
    const DOTTED_I: char = '\u{130}';

    #[test]
    fn letters_of_the_scripts_are_those_of_the_standard_library() {
        for letter in (0..=0x10_ffff).filter_map(char::from_u32).filter(|letter| *letter != DOTTED_I) {
            let lower: Vec<char> = letter.to_lowercase().collect();
            let ours = lower_case(letter);
            if is_letter(ours) || lower.iter().copied().all(is_letter) {
                assert_eq!([ours].as_slice(), lower, "{letter}");
            }
        }
        assert!(!is_letter(lower_case(DOTTED_I)));
    }
}
