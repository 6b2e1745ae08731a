//! Exact decimals of a fixed scale: [`Money`], [`UnitPrice`], [`Quantity`], [`Percent`].
//!
//! Each is an integer inside, so no value ever passes through a binary float, on the way to the database or back
//! (DOMAIN.md, Money). Text is the only outside form: `"9.90"`, with a dot, without exponent or grouping.
//!
//! Arithmetic is done on `i128` units: the largest product, quantity × price × discount, has 31 digits and is exact
//! there (`rust_decimal` stops at 28), so only results need a check of their range. It also weighs less in the browser.

use std::fmt;
use std::str::FromStr;

/// Why a text is no value of a decimal type; the sentence for the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecimalError(pub String);

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecimalError {}

/// Reads plain decimal notation into an integer of the given scale.
///
/// Accepts digits with at most one dot and a leading minus. Refuses exponents, NaN, infinities, grouping, and more
/// decimals than the scale holds (trailing zeros are fine), and anything beyond `max` (in units of the scale).
fn parse_scaled(text: &str, scale: u32, max: i64) -> Result<i64, DecimalError> {
    let plain = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || (plain.contains('.') && fraction.is_empty()) {
        return Err(DecimalError("Enter a number such as 12.50.".into()));
    }
    let (fraction, width) = (fraction.trim_end_matches('0'), scale as usize);
    if fraction.len() > width {
        return Err(DecimalError(format!("Use at most {scale} decimals.")));
    }
    match format!("{whole}{fraction:0<width$}").parse::<i64>() {
        Ok(units) if units <= max => Ok(if plain == text { units } else { -units }),
        _ => Err(DecimalError(format!("Enter at most {}.", Plain::of(max, scale, 0).as_str()))),
    }
}

/// An integer of the given scale in plain decimal notation, made without an allocation: lists have hundreds of them.
struct Plain {
    /// The text from `from` on: 19 digits, a dot and a sign at most.
    bytes: [u8; 24],
    from: usize,
}

impl Plain {
    /// With at least `least` decimals.
    fn of(units: i64, scale: u32, least: u32) -> Self {
        let (mut rest, mut decimals) = (units.unsigned_abs(), scale);
        while decimals > least && rest.is_multiple_of(10) {
            (rest, decimals) = (rest / 10, decimals - 1);
        }
        let mut plain = Self { bytes: [b'0'; 24], from: 24 };
        for place in 0..20 {
            if place > decimals && rest == 0 {
                break;
            }
            if place == decimals && place > 0 {
                plain.put(b'.');
            }
            let digit = u8::try_from(rest % 10).unwrap_or_default();
            plain.put(b'0' + digit);
            rest /= 10;
        }
        if units < 0 {
            plain.put(b'-');
        }
        plain
    }

    fn put(&mut self, byte: u8) {
        self.from = self.from.saturating_sub(1);
        if let Some(place) = self.bytes.get_mut(self.from) {
            *place = byte;
        }
    }

    fn as_str(&self) -> &str {
        self.bytes.get(self.from..).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

/// Declares a decimal type of a fixed scale over `i64`.
macro_rules! decimal {
    ($($(#[$doc:meta])* $name:ident, scale $scale:literal, max $max:literal, shows $least:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i64);

        impl $name {
            /// Decimals a value can have.
            pub const SCALE: u32 = $scale;
            /// The largest value, in units of the scale; the smallest is its negative.
            pub const MAX: i64 = $max;

            /// Nothing; also the default.
            pub const ZERO: Self = Self(0);

            /// From units of the scale, as computed; `None` beyond [`Self::MAX`] either way.
            pub fn from_units(units: i128) -> Option<Self> {
                i64::try_from(units).ok().filter(|units| (-Self::MAX..=Self::MAX).contains(units)).map(Self)
            }

            /// Units of the scale, wide enough to multiply.
            pub fn units(self) -> i128 {
                self.0.into()
            }

            /// Whether this is exactly zero.
            pub fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Whether this is above zero.
            pub fn is_positive(self) -> bool {
                self.0 > 0
            }
        }

        impl From<i64> for $name {
            /// From units of the scale, as stored.
            fn from(units: i64) -> Self {
                Self(units)
            }
        }

        impl From<$name> for i64 {
            fn from(value: $name) -> i64 {
                value.0
            }
        }

        impl FromStr for $name {
            type Err = DecimalError;

            fn from_str(text: &str) -> Result<Self, DecimalError> {
                parse_scaled(text, $scale, $max).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(Plain::of(self.0, $scale, $least).as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(Plain::of(self.0, $scale, $least).as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

decimal! {
    /// An amount of the company's currency in its minor unit (×10⁻²), up to 9 999 999 999 999.99 either way.
    Money, scale 2, max 999_999_999_999_999, shows 2;
    /// The price of one unit (×10⁻⁴), up to 99 999 999 999.9999 either way.
    UnitPrice, scale 4, max 999_999_999_999_999, shows 2;
    /// How much of a product (×10⁻³), up to 999 999 999.999 either way. A whole one shows no decimals: `3`.
    Quantity, scale 3, max 999_999_999_999, shows 0;
    /// A rate in percent (×10⁻²): 19 % is `19.00`. Up to 100.
    Percent, scale 2, max 10_000, shows 2;
}

impl Money {
    /// The exact sum, or `None` when it is beyond [`Money::MAX`].
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::from_units(self.units() + other.units())
    }

    /// The exact difference, or `None` when it is beyond [`Money::MAX`].
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Self::from_units(self.units() - other.units())
    }

    /// The exact sum of all, or `None` when it is beyond [`Money::MAX`]; only the result has to fit, in any order.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        Self::from_units(amounts.into_iter().map(Self::units).sum())
    }
}

/// Groups the whole part of a plain decimal in threes, for reading: `1284.50` becomes `1,284.50`.
pub fn grouped(plain: &str) -> String {
    let (sign, unsigned) = plain.strip_prefix('-').map_or(("", plain), |rest| ("−", rest));
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(w, f)| (w, Some(f)));
    let mut text = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_notation_is_read_exactly() {
        assert_eq!("9.90".parse(), Ok(UnitPrice(99_000)));
        assert_eq!("0.0001".parse(), Ok(UnitPrice(1)));
        assert_eq!("007".parse(), Ok(Money(700)));
        assert_eq!("1.50000000".parse(), Ok(Money(150)));
        assert_eq!("9999999999999.99".parse(), Ok(Money(999_999_999_999_999)));
    }

    #[test]
    fn decimals_are_shown_as_far_as_they_say_something() {
        assert_eq!(Money(0).to_string(), "0.00");
        assert_eq!(Money(-5).to_string(), "-0.05");
        assert_eq!(UnitPrice(99_000).to_string(), "9.90");
        assert_eq!(UnitPrice(99_010).to_string(), "9.901");
        assert_eq!(UnitPrice(1).to_string(), "0.0001");
        assert_eq!(Quantity(0).to_string(), "0");
        assert_eq!(Quantity(10_000).to_string(), "10");
        assert_eq!(Quantity(1_250).to_string(), "1.25");
        assert_eq!(Quantity(Quantity::MAX).to_string(), "999999999.999");
        assert_eq!(Quantity(i64::MIN).to_string(), "-9223372036854775.808");
        assert_eq!(Quantity(-1_000).to_string(), "-1");
        assert_eq!(UnitPrice(i64::MAX).to_string(), "922337203685477.5807");
        assert_eq!(format!("{:>8}", Money(990)), "    9.90");
    }

    #[test]
    fn sums_beyond_the_largest_amount_are_none() {
        let (most, cent) = (Money(Money::MAX), Money(1));
        assert_eq!(most.checked_sub(cent).and_then(|less| less.checked_add(cent)), Some(most));
        assert_eq!(most.checked_add(cent), None);
        assert_eq!(Money(-Money::MAX).checked_sub(cent), None);
        assert_eq!(Money(i64::MAX).checked_add(Money(i64::MAX)), None);
        assert_eq!(Money::checked_sum([most, most]), None);
        assert_eq!(Money::checked_sum([most, cent, Money(-1)]), Some(most));
        assert_eq!(Money::checked_sum([]), Some(Money::ZERO));
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        for text in ["", " ", ".", "1.", ".5", "1e3", "NaN", "inf", "1,000", "--1", "+1", "1_000", "0x10", "１"] {
            let refused = text.parse::<UnitPrice>();
            assert_eq!(refused, Err(DecimalError("Enter a number such as 12.50.".into())), "{text}");
        }
        assert_eq!("1.00001".parse::<UnitPrice>(), Err(DecimalError("Use at most 4 decimals.".into())));
        assert_eq!("100.01".parse::<Percent>(), Err(DecimalError("Enter at most 100.".into())));
        assert_eq!("1000000000".parse::<Quantity>(), Err(DecimalError("Enter at most 999999999.999.".into())));
        assert!("9".repeat(60).parse::<Money>().is_err());
        assert_eq!(format!("1.50{}", "0".repeat(60)).parse(), Ok(Money(150)));
    }

    #[test]
    fn grouping_is_for_reading_only() {
        assert_eq!(grouped("1284.50"), "1,284.50");
        assert_eq!(grouped("-1234567"), "−1,234,567");
        assert_eq!(grouped("999.00"), "999.00");
    }

    proptest! {
        #[test]
        fn every_value_survives_text(units in -UnitPrice::MAX..=UnitPrice::MAX) {
            let price = UnitPrice(units);
            prop_assert_eq!(price.to_string().parse(), Ok(price));
            prop_assert_eq!(serde_json::from_str::<UnitPrice>(&serde_json::to_string(&price).unwrap()).unwrap(), price);
            let quantity = Quantity(units % (Quantity::MAX + 1));
            prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = text.parse::<Money>();
        }
    }
}
