//! What an order comes to: the amounts of its lines, its taxes and its totals (DOMAIN.md, Money, rules 2 to 5).
//!
//! The browser calls these functions while somebody types, the server when it stores; both get the same amounts. Gross
//! and net of a line are rounded once, half up, from their exact values. Taxes are rounded per rate on the document and
//! then spread over its lines, so lines always add up to the document.

use std::cmp::Reverse;

use crate::base::money::{Money, Percent, Quantity, UnitPrice};

/// 100 % in units of [`Percent`].
const ALL: i128 = 100 * 10_i128.pow(Percent::SCALE);

/// One minor unit of [`Money`] in units of quantity × price.
const MINOR: i128 = 10_i128.pow(Quantity::SCALE + UnitPrice::SCALE - Money::SCALE);

/// What a line's amounts are computed from.
///
/// That none is negative and the discount is at most 100 % is for the input's rules to check; here it is assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// How much of the product.
    pub quantity: Quantity,
    /// The price of one, before discount and tax.
    pub unit_price: UnitPrice,
    /// What is taken off quantity × price.
    pub discount_percent: Percent,
    /// What is added to the net for tax.
    pub tax_rate: Percent,
}

/// The amounts of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineAmounts {
    /// Quantity × price, before the discount.
    pub gross: Money,
    /// Quantity × price less the discount, rounded once: from 0 to `gross`.
    pub net: Money,
    /// The line's part of the tax on all lines of its rate, within one minor unit of its exact share.
    pub tax: Money,
    /// `net` + `tax`.
    pub total: Money,
}

/// The tax on all lines of one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaxGroup {
    /// The rate these lines have.
    pub rate: Percent,
    /// The sum of their nets.
    pub net: Money,
    /// `rate` of `net`, rounded; also the sum of their taxes.
    pub tax: Money,
}

/// What the document comes to. An order without lines comes to nothing, which is the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// The sum of the lines before discount.
    pub subtotal: Money,
    /// What the discounts take off: `subtotal` − `net_total`.
    pub discount_total: Money,
    /// The sum of the lines' nets.
    pub net_total: Money,
    /// The sum of the lines' taxes, and of `taxes`.
    pub tax_total: Money,
    /// `net_total` + `tax_total`, also the sum of the lines' totals.
    pub total: Money,
    /// One for each rate that occurs, ascending.
    pub taxes: Vec<TaxGroup>,
}

/// An amount is beyond what [`Money`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge {
    /// The place of the line, counted from 0, whose own amount it is; `None` when it is a sum over lines.
    pub line: Option<usize>,
}

/// The net of a line, which no other line changes; `None` when its gross or net is beyond what [`Money`] holds.
pub fn net(line: &Line) -> Option<Money> {
    before_tax(line).map(|amounts| amounts.net)
}

/// The amounts of each line, in the order given, and of the document.
///
/// Every sum holds exactly: `subtotal` − `discount_total` = Σ `net`, Σ `net` + `tax_total` = `total`, and the same for
/// the lines of one rate. Minor units that are left when a rate's tax is spread go to the lines with the largest
/// remainders, among equal ones to the earlier.
pub fn price(lines: &[Line]) -> Result<(Vec<LineAmounts>, Totals), TooLarge> {
    let in_line = |index| TooLarge { line: Some(index) };
    let in_sum = TooLarge { line: None };
    let mut amounts = (lines.iter().enumerate())
        .map(|(index, line)| before_tax(line).ok_or(in_line(index)))
        .collect::<Result<Vec<_>, _>>()?;
    let taxes = spread_taxes(lines, &mut amounts).ok_or(in_sum)?;
    for (index, line) in amounts.iter_mut().enumerate() {
        line.total = line.net.checked_add(line.tax).ok_or(in_line(index))?;
    }
    let totals = add_up(&amounts, taxes).ok_or(in_sum)?;
    Ok((amounts, totals))
}

fn before_tax(line: &Line) -> Option<LineAmounts> {
    let exact = line.quantity.units() * line.unit_price.units();
    let discounted = exact.checked_mul(ALL - line.discount_percent.units())?;
    let (gross, net) = (divide_half_up(exact, MINOR), divide_half_up(discounted, MINOR * ALL));
    Some(LineAmounts { gross: Money::from_units(gross)?, net: Money::from_units(net)?, ..LineAmounts::default() })
}

/// A line while the tax of its rate is spread.
struct Share<'a> {
    rate: Percent,
    /// Minor units of its exact share, rounded down.
    whole: i128,
    /// What rounding down left, in parts of [`ALL`].
    rest: i128,
    amounts: &'a mut LineAmounts,
}

/// Sets the tax of every line. Sorts once, so a long order costs little more per line than a short one.
fn spread_taxes(lines: &[Line], amounts: &mut [LineAmounts]) -> Option<Vec<TaxGroup>> {
    let mut shares: Vec<_> = lines.iter().zip(amounts).map(|(line, amounts)| share(line.tax_rate, amounts)).collect();
    shares.sort_by_key(|share| (share.rate, Reverse(share.rest))); // stable: equal ones stay in the order of the lines
    shares.chunk_by_mut(|one, next| one.rate == next.rate).map(spread_tax).collect()
}

fn share(rate: Percent, amounts: &mut LineAmounts) -> Share<'_> {
    let exact = amounts.net.units() * rate.units();
    let whole = exact.div_euclid(ALL);
    Share { rate, whole, rest: exact - whole * ALL, amounts }
}

/// Spreads the tax of one rate over its lines, largest remainder first.
fn spread_tax(shares: &mut [Share]) -> Option<TaxGroup> {
    let rate = shares.first()?.rate;
    let net = Money::checked_sum(shares.iter().map(|share| share.amounts.net))?;
    let tax = divide_half_up(net.units() * rate.units(), ALL);
    let mut left = tax - shares.iter().map(|share| share.whole).sum::<i128>();
    for share in shares {
        let extra = left.min(1);
        share.amounts.tax = Money::from_units(share.whole + extra)?;
        left -= extra;
    }
    Some(TaxGroup { rate, net, tax: Money::from_units(tax)? })
}

fn add_up(amounts: &[LineAmounts], taxes: Vec<TaxGroup>) -> Option<Totals> {
    let sum = |part: fn(&LineAmounts) -> Money| Money::checked_sum(amounts.iter().map(part));
    let (subtotal, net_total, tax_total) = (sum(|line| line.gross)?, sum(|line| line.net)?, sum(|line| line.tax)?);
    let (discount_total, total) = (subtotal.checked_sub(net_total)?, net_total.checked_add(tax_total)?);
    Some(Totals { subtotal, discount_total, net_total, tax_total, total, taxes })
}

/// Divides by a positive divisor and rounds to the nearest integer, ties upwards.
fn divide_half_up(dividend: i128, divisor: i128) -> i128 {
    let floor = dividend.div_euclid(divisor);
    let rest = dividend - floor * divisor;
    floor + i128::from(rest >= divisor - rest)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn line(quantity: &str, unit_price: &str, discount_percent: &str, tax_rate: &str) -> Line {
        Line {
            quantity: quantity.parse().unwrap(),
            unit_price: unit_price.parse().unwrap(),
            discount_percent: discount_percent.parse().unwrap(),
            tax_rate: tax_rate.parse().unwrap(),
        }
    }

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn taxes(lines: &[Line]) -> Vec<String> {
        price(lines).unwrap().0.iter().map(|line| line.tax.to_string()).collect()
    }

    #[test]
    fn an_order_is_priced_line_by_line_and_taxed_rate_by_rate() {
        let lines = [line("3", "9.90", "10", "19"), line("0.5", "4.35", "0", "7"), line("2", "1.05", "0", "19")];
        let (amounts, totals) = price(&lines).unwrap();
        let shown = |line: &LineAmounts| [line.gross, line.net, line.tax, line.total].map(|amount| amount.to_string());
        assert_eq!(shown(&amounts[0]), ["29.70", "26.73", "5.08", "31.81"]);
        assert_eq!(shown(&amounts[1]), ["2.18", "2.18", "0.15", "2.33"]);
        assert_eq!(shown(&amounts[2]), ["2.10", "2.10", "0.40", "2.50"]);
        let expected = Totals {
            subtotal: money("33.98"),
            discount_total: money("2.97"),
            net_total: money("31.01"),
            tax_total: money("5.63"),
            total: money("36.64"),
            taxes: vec![
                TaxGroup { rate: "7".parse().unwrap(), net: money("2.18"), tax: money("0.15") },
                TaxGroup { rate: "19".parse().unwrap(), net: money("28.83"), tax: money("5.48") },
            ],
        };
        assert_eq!(totals, expected);
    }

    #[test]
    fn an_order_without_lines_comes_to_nothing() {
        assert_eq!(price(&[]), Ok((vec![], Totals::default())));
    }

    #[test]
    fn the_discounted_unit_price_is_never_rounded_first() {
        // 0.99 less 5 % is 0.9405; rounded to 0.94 first, a thousand would come to 940.00.
        assert_eq!(net(&line("1000", "0.99", "5", "0")), Some(money("940.50")));
        // Nor is the line before its discount: 0.005 rounds to 0.01, of which half would be 0.005 and round to 0.01.
        assert_eq!(net(&line("1", "0.005", "50", "0")), Some(money("0.00")));
        // Nor anything to a finer unit: this is 0.00499999995, with one decimal less 0.005.
        assert_eq!(net(&line("0.001", "5.0005", "0.01", "0")), Some(money("0.00")));
    }

    #[test]
    fn half_a_minor_unit_is_rounded_up_and_anything_less_down() {
        assert_eq!(net(&line("1", "0.005", "0", "0")), Some(money("0.01")));
        assert_eq!(net(&line("1", "0.0049", "0", "0")), Some(money("0.00")));
        assert_eq!(net(&line("1", "1.015", "0", "0")), Some(money("1.02")));
        assert_eq!(net(&line("1", "1.025", "0", "0")), Some(money("1.03")));
        assert_eq!(net(&line("0.001", "5", "0", "0")), Some(money("0.01")));
        assert_eq!(net(&line("0.001", "4.9999", "0", "0")), Some(money("0.00")));
        assert_eq!(net(&line("1", "0.01", "50", "0")), Some(money("0.01")));
        assert_eq!(net(&line("1", "0.01", "50.01", "0")), Some(money("0.00")));
        assert_eq!(taxes(&[line("1", "0.50", "0", "1")]), ["0.01"]);
        assert_eq!(taxes(&[line("1", "0.49", "0", "1")]), ["0.00"]);
    }

    #[test]
    fn a_line_given_away_costs_nothing_and_bears_no_tax() {
        let lines = [line("1", "100", "100", "19"), line("1", "0.03", "0", "19")];
        let (amounts, totals) = price(&lines).unwrap();
        assert_eq!((amounts[0].net, amounts[0].tax, amounts[0].total), (Money::ZERO, Money::ZERO, Money::ZERO));
        assert_eq!((totals.discount_total, totals.tax_total), (money("100.00"), money("0.01")));
    }

    #[test]
    fn a_tax_of_one_minor_unit_goes_to_one_line_only() {
        // Each line's own tax is 0.0019 and would round to nothing; together they owe 0.0057.
        let cent = line("1", "0.01", "0", "19");
        assert_eq!(taxes(&[cent, cent, cent]), ["0.01", "0.00", "0.00"]);
        assert_eq!(taxes(&[cent, cent, line("2", "0.01", "0", "19")]), ["0.00", "0.00", "0.01"]);
    }

    #[test]
    fn lines_that_would_each_round_up_are_held_to_the_tax_of_their_sum() {
        // 0.10 at 5 % is 0.005: three lines rounded alone would pay 0.03, the document owes 0.015.
        let dime = line("1", "0.10", "0", "5");
        assert_eq!(taxes(&[dime, dime, dime]), ["0.01", "0.01", "0.00"]);
    }

    #[test]
    fn rates_are_taxed_apart_and_listed_ascending() {
        let lines = [line("1", "0.10", "0", "25"), line("1", "0.10", "0", "0"), line("1", "0.10", "0", "5")];
        assert_eq!(taxes(&lines), ["0.03", "0.00", "0.01"]);
        let rates = price(&lines).unwrap().1.taxes.into_iter().map(|group| group.rate.to_string());
        assert_eq!(rates.collect::<Vec<_>>(), ["0.00", "5.00", "25.00"]);
    }

    #[test]
    fn a_large_line_is_as_exact_as_a_small_one() {
        // 4421850607601.9949954462 exactly; binary floats make it 4421850607602.00.
        let large = line("643208099.855", "8301.7524", "17.19", "0");
        assert_eq!(net(&large), Some(money("4421850607601.99")));
    }

    #[test]
    fn an_amount_beyond_money_is_an_error_at_its_line() {
        let (fits, beyond) = (line("1", "1", "0", "0"), line("999999999.999", "99999999999.9999", "0", "100"));
        assert_eq!(net(&beyond), None);
        assert_eq!(price(&[fits, beyond]), Err(TooLarge { line: Some(1) }));
        // Its gross is too large, though nothing is left of it after the discount.
        assert_eq!(price(&[line("999999999.999", "99999999999.9999", "100", "0")]), Err(TooLarge { line: Some(0) }));
        // Its net fits, but not with the tax.
        let taxed = line("100", "99999999999.9999", "0", "1");
        assert_eq!((net(&taxed), price(&[taxed])), (Some(Money::from(Money::MAX)), Err(TooLarge { line: Some(0) })));
    }

    #[test]
    fn a_sum_beyond_money_is_an_error_of_the_document() {
        let half = line("60", "99999999999.9999", "0", "0");
        assert!(price(&[half]).is_ok());
        assert_eq!(price(&[half, half]), Err(TooLarge { line: None }));
        // Nothing is left of it after the discounts, but the subtotal is too large.
        let given_away = line("60", "99999999999.9999", "100", "0");
        assert_eq!(price(&[given_away, given_away]), Err(TooLarge { line: None }));
        let other_rate = line("60", "99999999999.9999", "0", "5");
        assert_eq!(price(&[half, other_rate]), Err(TooLarge { line: None }));
    }

    /// Numbers as people type them: often small, often round, now and then anything up to `max`.
    fn typed(one: i64, max: i64) -> impl Strategy<Value = i64> {
        (0..8_u8, 0..=max).prop_map(move |(kind, any)| match kind {
            0..=2 => any % 20 * one,
            3 | 4 => any % 1_000 * (one / 100).max(1),
            5 | 6 => any % (one * 10),
            _ => any,
        })
    }

    fn percent() -> impl Strategy<Value = i64> {
        (0..4_u8, 0..=Percent::MAX).prop_map(|(kind, any)| match kind {
            0 => 0,
            1 => any % 5 * 500,
            2 => any / 100 * 100,
            _ => any,
        })
    }

    /// Lines of which any thousand fit into [`Money`] together.
    fn a_line() -> impl Strategy<Value = Line> {
        let rate = prop_oneof![Just(0), Just(700), Just(1_900), percent()];
        (typed(1_000, 99_999_999), typed(10_000, 9_999_999_999), percent(), rate).prop_map(
            |(quantity, unit_price, discount, rate)| Line {
                quantity: quantity.into(),
                unit_price: unit_price.into(),
                discount_percent: discount.into(),
                tax_rate: rate.into(),
            },
        )
    }

    fn an_order() -> impl Strategy<Value = Vec<Line>> {
        prop_oneof![500 => vec(a_line(), 1..=8), 1 => vec(a_line(), 100..=400)]
    }

    /// Whether `rounded` is `exact` / `unit` rounded half up, told without dividing.
    fn is_half_up(rounded: Money, exact: i128, unit: i128) -> bool {
        let twice_off = 2 * (rounded.units() * unit - exact);
        -unit < twice_off && twice_off <= unit
    }

    fn exact_tax(line: &Line, amounts: &LineAmounts) -> i128 {
        amounts.net.units() * line.tax_rate.units()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 20_000 } else { 1_000_000 }))]

        #[test]
        fn the_parts_of_any_order_add_up(lines in an_order()) {
            let (amounts, totals) = price(&lines).unwrap();
            let sum = |part: fn(&LineAmounts) -> Money| amounts.iter().map(|line| part(line).units()).sum::<i128>();

            prop_assert_eq!(amounts.len(), lines.len());
            prop_assert_eq!(totals.subtotal.units(), sum(|line| line.gross));
            prop_assert_eq!(totals.subtotal.units() - totals.discount_total.units(), sum(|line| line.net));
            prop_assert_eq!(totals.net_total.units(), sum(|line| line.net));
            prop_assert_eq!(totals.tax_total.units(), sum(|line| line.tax));
            prop_assert_eq!(totals.net_total.units() + totals.tax_total.units(), totals.total.units());
            prop_assert_eq!(totals.total.units(), sum(|line| line.total));
            prop_assert_eq!(totals.tax_total.units(), totals.taxes.iter().map(|group| group.tax.units()).sum::<i128>());

            for (line, amounts) in lines.iter().zip(&amounts) {
                let exact = line.quantity.units() * line.unit_price.units();
                prop_assert!(is_half_up(amounts.gross, exact, 100_000));
                prop_assert!(is_half_up(amounts.net, exact * (10_000 - line.discount_percent.units()), 1_000_000_000));
                prop_assert_eq!(net(line), Some(amounts.net));
                prop_assert!(Money::ZERO <= amounts.net && amounts.net <= amounts.gross);
                prop_assert!((amounts.tax.units() * 10_000 - exact_tax(line, amounts)).abs() < 10_000);
                prop_assert_eq!(amounts.net.units() + amounts.tax.units(), amounts.total.units());
            }

            prop_assert!(totals.taxes.is_sorted_by(|one, next| one.rate < next.rate));
            prop_assert!(lines.iter().all(|line| totals.taxes.iter().any(|group| group.rate == line.tax_rate)));
            for group in &totals.taxes {
                let of_rate = |(line, _): &(&Line, &LineAmounts)| line.tax_rate == group.rate;
                let mut members: Vec<_> = lines.iter().zip(&amounts).filter(of_rate).collect();
                prop_assert_eq!(Money::checked_sum(members.iter().map(|(_, line)| line.net)), Some(group.net));
                prop_assert_eq!(Money::checked_sum(members.iter().map(|(_, line)| line.tax)), Some(group.tax));
                prop_assert!(is_half_up(group.tax, group.net.units() * group.rate.units(), 10_000));

                // No line is rounded up before one with a larger remainder, or with the same and an earlier place.
                let remainder = |(line, amounts): &(&Line, &LineAmounts)| exact_tax(line, amounts) % 10_000;
                let is_up = |(line, amounts): &(&Line, &LineAmounts)| {
                    amounts.tax.units() > exact_tax(line, amounts) / 10_000
                };
                members.sort_by_key(|member| Reverse(remainder(member)));
                prop_assert!(members.is_sorted_by_key(|member| !is_up(member)));
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_wraps_or_panics_whatever_is_stored(
            lines in vec((any::<i64>(), any::<i64>(), any::<i64>(), any::<i64>(), 0..63_u8), 0..=8)
        ) {
            let lines: Vec<_> = lines
                .into_iter()
                .map(|(quantity, unit_price, discount, rate, narrower)| Line {
                    quantity: (quantity >> narrower).into(),
                    unit_price: (unit_price >> narrower).into(),
                    discount_percent: (discount >> narrower).into(),
                    tax_rate: (rate >> narrower).into(),
                })
                .collect();
            if let Ok((amounts, totals)) = price(&lines) {
                prop_assert_eq!(Money::checked_sum(amounts.iter().map(|line| line.total)), Some(totals.total));
            }
        }
    }
}
