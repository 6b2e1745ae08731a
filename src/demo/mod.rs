//! A small, believable company to try things on: a food service wholesaler. Loaded on request, never by default.
//! [`company`] makes one of any size.

use std::fmt;

use chrono::{Datelike, Days, NaiveTime};

use crate::access::gate::{Access, Permission};
use crate::base::error::Code;
use crate::base::form::{Given, Input};
use crate::base::listing::ListQuery;
use crate::base::money::{Percent, Quantity};
use crate::base::time::stored::{Day, today};
use crate::base::{Error, Result};
use crate::customers::CustomerId;
use crate::orders::entity::{New, Origin};
use crate::orders::{Header, ItemInput, OrderInput, Status};
use crate::server::database::Database;
use crate::server::record::{Add, Resource, View};
use crate::{customers, orders, products};

pub mod company;
mod words;

/// The fields of [`CUSTOMERS`].
const CUSTOMER: [&str; 10] = [
    "name",
    "email",
    "phone",
    "billing_line1",
    "billing_line2",
    "billing_city",
    "billing_postal_code",
    "billing_country",
    "payment_terms_days",
    "credit_limit",
];

#[rustfmt::skip] // one row each
const CUSTOMERS: [[&str; 10]; 24] = [
    ["Alder & Sons Hardware", "orders@alder-sons.example", "+44 20 7946 0101", "12 Foundry Lane", "", "London", "EC1V 9HX", "GB", "30", "15000.00"],
    ["Bäckerei Sonnenhof", "einkauf@sonnenhof.example", "+49 89 5550 112", "Sonnenstraße 14", "", "München", "80331", "DE", "14", "4000.00"],
    ["Café Lumière", "bonjour@cafe-lumiere.example", "+33 1 5550 0123", "27 rue des Abbesses", "", "Paris", "75018", "FR", "30", "2500.00"],
    ["Delgado e Hijos", "pedidos@delgado.example", "+34 91 555 01 44", "Calle de Atocha 88", "Bajo", "Madrid", "28012", "ES", "30", "12000.00"],
    ["Eastgate Hotel Group", "purchasing@eastgate.example", "+44 161 496 0200", "1 Eastgate Square", "", "Manchester", "M1 4BT", "GB", "45", "60000.00"],
    ["Fjord Catering AS", "post@fjordcatering.example", "+47 55 55 01 10", "Bryggen 7", "", "Bergen", "5003", "NO", "14", "8000.00"],
    ["Gasthaus zum Löwen", "wirt@loewen.example", "+49 7071 555 018", "Marktplatz 3", "", "Tübingen", "72070", "DE", "14", "3000.00"],
    ["Hanako Trading", "sales@hanako.example", "+81 3 5550 0199", "2-11-3 Meguro", "", "Tokyo", "153-0063", "JP", "60", "40000.00"],
    ["Isola Verde S.r.l.", "acquisti@isolaverde.example", "+39 02 5550 177", "Via Tortona 21", "", "Milano", "20144", "IT", "30", "9000.00"],
    ["Jansen & Zonen B.V.", "inkoop@jansen.example", "+31 20 555 0166", "Keizersgracht 120", "", "Amsterdam", "1015 CW", "NL", "30", "18000.00"],
    ["Kowalski Delikatesy", "biuro@kowalski.example", "+48 22 555 01 55", "ul. Nowy Świat 41", "", "Warszawa", "00-042", "PL", "21", "6000.00"],
    ["Lindqvist Livs", "order@lindqvist.example", "+46 8 555 012 34", "Götgatan 55", "", "Stockholm", "116 21", "SE", "30", "7000.00"],
    ["Maison Tremblay", "commandes@tremblay.example", "+1 514 555 0134", "410 rue Saint-Paul", "", "Montréal", "H2Y 1H1", "CA", "30", "11000.00"],
    ["Northwind Bistro", "hello@northwindbistro.example", "+1 206 555 0112", "88 Pike Street", "", "Seattle", "98101", "US", "15", "5000.00"],
    ["Oberholzer AG", "bestellung@oberholzer.example", "+41 44 555 01 80", "Langstrasse 9", "", "Zürich", "8004", "CH", "30", "25000.00"],
    ["Porto Mercado Lda", "compras@portomercado.example", "+351 22 555 0147", "Rua das Flores 102", "", "Porto", "4050-262", "PT", "30", "6500.00"],
    ["Quinn's Grocery", "ann@quinns.example", "+353 1 555 0190", "5 Camden Street", "", "Dublin", "D02 XE80", "IE", "14", "3500.00"],
    ["Rosenbaum Feinkost", "kontakt@rosenbaum.example", "+43 1 555 0142", "Naschmarkt 212", "", "Wien", "1060", "AT", "14", "4500.00"],
    ["São Bento Importação", "contato@saobento.example", "+55 11 5550 0120", "Rua Augusta 900", "", "São Paulo", "01304-001", "BR", "45", "20000.00"],
    ["Taverna Kyma", "info@kyma.example", "+30 21 0555 0133", "Adrianou 17", "", "Athina", "105 55", "GR", "21", "2500.00"],
    ["Umeå Skolkök", "skolkok@umea.example", "+46 90 555 018", "Storgatan 2", "", "Umeå", "903 26", "SE", "30", ""],
    ["Vermeer Conference Centre", "facility@vermeer.example", "+31 70 555 0121", "Plein 1", "", "Den Haag", "2511 CR", "NL", "30", "30000.00"],
    ["Westside Community Kitchen", "kitchen@westside.example", "+1 312 555 0175", "1401 W Lake St", "", "Chicago", "60607", "US", "0", ""],
    ["Yıldız Gıda", "siparis@yildiz.example", "+90 212 555 01 60", "İstiklal Cad. 140", "", "İstanbul", "34430", "TR", "30", "8500.00"],
];

/// The fields of [`PRODUCTS`].
const PRODUCT: [&str; 7] = ["sku", "name", "category", "unit", "price", "tax_rate", "description"];

#[rustfmt::skip] // one row each
const PRODUCTS: [[&str; 7]; 38] = [
    ["BEV-001", "House blend coffee, 1 kg", "Beverages", "bag", "14.90", "7.00", "Medium roast, whole beans."],
    ["BEV-002", "Decaf coffee, 1 kg", "Beverages", "bag", "16.50", "7.00", "Swiss water process."],
    ["BEV-003", "Earl Grey, 100 bags", "Beverages", "box", "6.80", "7.00", ""],
    ["BEV-004", "Peppermint tea, 100 bags", "Beverages", "box", "5.95", "7.00", ""],
    ["BEV-005", "Sparkling water, 24 × 0.5 l", "Beverages", "case", "11.40", "19.00", ""],
    ["BEV-006", "Apple juice, 6 × 1 l", "Beverages", "case", "9.90", "19.00", "Pressed, cloudy."],
    ["BEV-007", "Ginger ale, 24 × 0.33 l", "Beverages", "case", "18.60", "19.00", ""],
    ["DRY-001", "Spaghetti no. 5, 5 kg", "Dry goods", "bag", "8.75", "7.00", ""],
    ["DRY-002", "Basmati rice, 10 kg", "Dry goods", "bag", "19.80", "7.00", ""],
    ["DRY-003", "Plain flour, 25 kg", "Dry goods", "sack", "17.25", "7.00", ""],
    ["DRY-004", "Cane sugar, 10 kg", "Dry goods", "sack", "12.40", "7.00", ""],
    ["DRY-005", "Rolled oats, 5 kg", "Dry goods", "bag", "7.15", "7.00", ""],
    ["DRY-006", "Red lentils, 5 kg", "Dry goods", "bag", "10.95", "7.00", ""],
    ["DRY-007", "Sea salt, fine, 10 kg", "Dry goods", "bag", "5.20", "7.00", ""],
    ["OIL-001", "Olive oil extra virgin, 5 l", "Oils and vinegars", "can", "38.50", "7.00", "First cold pressing, Crete."],
    ["OIL-002", "Sunflower oil, 10 l", "Oils and vinegars", "can", "21.90", "7.00", ""],
    ["OIL-003", "White wine vinegar, 5 l", "Oils and vinegars", "can", "9.60", "7.00", ""],
    ["OIL-004", "Balsamic vinegar, 1 l", "Oils and vinegars", "bottle", "7.80", "7.00", ""],
    ["DAI-001", "Butter, unsalted, 1 kg", "Dairy", "pcs", "9.45", "7.00", ""],
    ["DAI-002", "Whole milk, 12 × 1 l", "Dairy", "case", "13.20", "7.00", ""],
    ["DAI-003", "Gouda, aged 12 months", "Dairy", "kg", "14.3500", "7.00", "Sold by weight."],
    ["DAI-004", "Mozzarella, 1 kg", "Dairy", "pcs", "8.90", "7.00", ""],
    ["DAI-005", "Cream 35 %, 6 × 1 l", "Dairy", "case", "26.40", "7.00", ""],
    ["SPI-001", "Black pepper, whole, 500 g", "Spices", "jar", "11.30", "7.00", ""],
    ["SPI-002", "Paprika, smoked, 500 g", "Spices", "jar", "8.70", "7.00", ""],
    ["SPI-003", "Vanilla pods, 10 pcs", "Spices", "box", "24.00", "7.00", "Bourbon, 16 cm."],
    ["SPI-004", "Saffron, 5 g", "Spices", "jar", "32.7500", "7.00", ""],
    ["PAC-001", "Paper cup 0.2 l", "Packaging", "pcs", "0.0450", "19.00", "Sold by the piece, packed in 1,000."],
    ["PAC-002", "Lid for paper cup 0.2 l", "Packaging", "pcs", "0.0185", "19.00", ""],
    ["PAC-003", "Kraft bag, medium", "Packaging", "pcs", "0.0620", "19.00", ""],
    ["PAC-004", "Napkin, two-ply, white", "Packaging", "pcs", "0.0075", "19.00", ""],
    ["CLE-001", "Dish soap, 10 l", "Cleaning", "can", "16.80", "19.00", ""],
    ["CLE-002", "Surface cleaner, 5 l", "Cleaning", "can", "12.95", "19.00", ""],
    ["CLE-003", "Nitrile gloves, L, 100 pcs", "Cleaning", "box", "7.90", "19.00", ""],
    ["KIT-001", "Chef's knife, 20 cm", "Kitchen", "pcs", "64.00", "19.00", "Forged, one piece."],
    ["KIT-002", "Cutting board, beech", "Kitchen", "pcs", "29.50", "19.00", ""],
    ["KIT-003", "Sheet pan 60 × 40", "Kitchen", "pcs", "13.75", "19.00", ""],
    ["KIT-004", "Digital scale, 15 kg", "Kitchen", "pcs", "89.90", "19.00", "Discontinued by the maker."],
];

/// How many orders the company has had in two years.
const ORDERS: u64 = 160;

/// What was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    pub customers: u64,
    pub products: u64,
    pub orders: u64,
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loaded {} customers, {} products and {} orders.", self.customers, self.products, self.orders)
    }
}

/// Loads the small company.
///
/// # Errors
/// `Conflict` when there are customers or products already.
pub async fn load(database: &Database) -> Result<Loaded> {
    demand_empty(database).await?;
    add::<customers::entity::Entity, 10>(database, &CUSTOMER, &CUSTOMERS, "Westside Community Kitchen").await?;
    add::<products::entity::Entity, 7>(database, &PRODUCT, &PRODUCTS, "Digital scale, 15 kg").await?;
    order(database).await?;
    Ok(Loaded { customers: CUSTOMERS.len() as u64, products: PRODUCTS.len() as u64, orders: ORDERS })
}

async fn demand_empty(database: &Database) -> Result<()> {
    if count::<customers::entity::Entity>(database).await? + count::<products::entity::Entity>(database).await? > 0 {
        return Err(Error::new(Code::Conflict, "The demo company is for an empty database, and this one is not."));
    }
    Ok(())
}

/// Numbers that look like chance and are the same every time.
struct Chance(u64);

impl Chance {
    /// What happens about one thing, whatever happens about others.
    fn about(what: &str, index: u64) -> Self {
        let seed = what.bytes().fold(index, |seed, byte| seed.rotate_left(9) ^ u64::from(byte));
        // SplitMix64, so that neighbours have nothing in common.
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(mixed ^ (mixed >> 31))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// As [`Self::below`], but the lower the likelier: the first hundredth comes up in one of ten cases.
    fn skewed_below(&mut self, bound: u64) -> u64 {
        const ONE: u64 = 1 << 20;
        let part = self.below(ONE);
        bound * (part * part / ONE) / ONE
    }

    fn signed_below(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap_or_default()
    }
}

/// Two years of orders up to today: most are shipped, some placed, some still drafts, a few cancelled.
async fn order(database: &Database) -> Result<()> {
    let access = access::<Add<orders::entity::Entity>>(database)?;
    let transaction = access.write().await?;
    let ids = (1..).take(CUSTOMERS.len());
    let people = orders::entity::customers(&transaction, ids).await?;
    let skus = PRODUCTS.map(|[sku, ..]| ItemInput { sku: Some(sku.into()), ..ItemInput::default() });
    let products = orders::item::Products::named(&transaction, &skus).await?;
    let (mut chance, today, mut made) = (Chance(20_261_124), today(), Vec::new());
    for number in 0..ORDERS {
        let back = (ORDERS - number) * 730 / ORDERS + chance.below(4);
        let date = today.checked_sub_days(Days::new(back)).unwrap_or(today);
        let status = match (ORDERS - number, chance.below(20)) {
            (..=5, _) => Status::Draft,
            (_, 0) => Status::Cancelled,
            (..=22, _) => Status::Placed,
            _ => Status::Shipped,
        };
        // The last customer is inactive.
        let customer = CustomerId(1 + chance.signed_below(CUSTOMERS.len() as u64 - 2));
        let input = OrderInput { header: header(&mut chance, customer, date), items: Some(lines(&mut chance)) };
        let number = match status {
            Status::Draft => None,
            _ => Some(orders::entity::next_number(&transaction, date.year()).await?),
        };
        let origin = origin(&mut chance, number, status, date);
        made.push(New::of(input, Some(origin), &people, &products)?);
    }
    orders::entity::insert_all(&transaction, &access, made).await?;
    transaction.commit().await
}

/// How far an order of this day got: shipped within a week, or cancelled on the next day.
fn origin(chance: &mut Chance, number: Option<String>, status: Status, date: Day) -> Origin {
    let at = |days: u64| date.checked_add_days(Days::new(days)).map(|day| day.and_time(NaiveTime::MIN).and_utc());
    Origin {
        number,
        status,
        placed_at: at(0).filter(|_| status != Status::Draft),
        shipped_at: at(2 + chance.below(5)).filter(|_| status == Status::Shipped),
        cancelled_at: at(1).filter(|_| status == Status::Cancelled),
        cancel_reason: (status == Status::Cancelled).then(|| "Ordered twice by mistake".to_owned()),
    }
}

fn header(chance: &mut Chance, customer: CustomerId, date: Day) -> Header {
    let required = date.checked_add_days(Days::new(7 + chance.below(14)));
    Header {
        customer,
        order_date: Some(date.into()),
        required_date: required.map(Into::into),
        customer_reference: (chance.below(3) == 0).then(|| format!("PO {}", 1000 + chance.below(9000))),
        shipping_name: None,
        shipping_line1: None,
        shipping_line2: None,
        shipping_postal_code: None,
        shipping_city: None,
        shipping_region: None,
        shipping_country: None,
        freight: None,
        notes: (chance.below(8) == 0).then(|| "Deliver through the yard, before ten.".to_owned()),
    }
}

fn lines(chance: &mut Chance) -> Vec<ItemInput> {
    let wanted = 1 + chance.below(7);
    // The last product is inactive. A step that shares no factor with their number meets each product once.
    let (first, step) = (chance.below(37), 1 + chance.below(36));
    let line = |(row, number): (usize, u64)| {
        let [sku, _, category, ..] = PRODUCTS[usize::try_from((first + number * step) % 37).unwrap_or_default()];
        let pieces =
            if category == "Packaging" { 500 * (1 + chance.signed_below(8)) } else { 1 + chance.signed_below(24) };
        ItemInput {
            row,
            sku: Some(sku.into()),
            quantity: Quantity::from(pieces * 1000),
            discount_percent: (chance.below(5) == 0).then(|| Percent::from(500)),
            ..ItemInput::default()
        }
    };
    (0..wanted).enumerate().map(line).collect()
}

fn access<P: Permission>(database: &Database) -> Result<Access<P>> {
    Access::system(database)
}

async fn count<R: Resource>(database: &Database) -> Result<u64> {
    R::list(&access::<View<R>>(database)?, &ListQuery::default()).await.map(|page| page.count)
}

/// Adds the rows; the one called `inactive` is.
async fn add<R: Resource, const N: usize>(
    database: &Database,
    names: &[&str; N],
    rows: &[[&str; N]],
    inactive: &str,
) -> Result<()> {
    let access = access::<Add<R>>(database)?;
    for row in rows {
        let mut given: Vec<(String, Given)> = names
            .iter()
            .zip(row)
            .map(|(name, text)| match (*name, *text) {
                (name, "") => (name.into(), Given::Null),
                (name @ "payment_terms_days", text) => (name.into(), Given::Number(text.into())),
                (name, text) => (name.into(), Given::Text(text.into())),
            })
            .collect();
        given.push(("is_active".into(), Given::Flag(!row.contains(&inactive))));
        R::create(&access, R::Input::given(&given)?, None).await?;
    }
    Ok(())
}
