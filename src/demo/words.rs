//! What a large demo company is made of: places, names of firms and goods, put together by number. The same number is always
//! the same customer or product.

use crate::base::fold;
use crate::base::money::{Money, Percent, Quantity, UnitPrice};
use crate::customers::CustomerInput;
use crate::demo::Chance;
use crate::products::ProductInput;

struct Country {
    code: &'static str,
    dial: &'static str,
    /// Who reads the e-mail about orders.
    mailbox: &'static str,
    families: [&'static str; 10],
    /// Kinds of firm, `{}` for the family.
    trades: [&'static str; 6],
    streets: [&'static str; 6],
    /// With the first digits of their postal codes.
    cities: [(&'static str, &'static str); 6],
}

#[rustfmt::skip] // one row each
const COUNTRIES: [Country; 8] = [
    Country {
        code: "DE", dial: "+49", mailbox: "einkauf",
        families: ["Huber", "Schneider", "Bergmann", "Köhler", "Brandt", "Seidel", "Lorenz", "Vogt", "Winkler", "Ackermann"],
        trades: ["Bäckerei {}", "Gasthaus {}", "{} Feinkost", "Hotel {}", "Café {}", "{} Catering GmbH"],
        streets: ["Hauptstraße", "Bahnhofstraße", "Lindenallee", "Marktgasse", "Schulweg", "Am Hafen"],
        cities: [("Hamburg", "20095"), ("Köln", "50667"), ("Leipzig", "04109"), ("Stuttgart", "70173"), ("Nürnberg", "90402"), ("Bremen", "28195")],
    },
    Country {
        code: "FR", dial: "+33", mailbox: "commandes",
        families: ["Moreau", "Lefèvre", "Girard", "Chevalier", "Bonnet", "Rousseau", "Fontaine", "Mercier", "Dufour", "Lambert"],
        trades: ["Boulangerie {}", "Brasserie {}", "Traiteur {}", "Hôtel {}", "Café {}", "{} et Fils"],
        streets: ["rue de la Gare", "rue Victor Hugo", "avenue Foch", "quai du Port", "place du Marché", "rue des Écoles"],
        cities: [("Lyon", "69002"), ("Bordeaux", "33000"), ("Lille", "59800"), ("Nantes", "44000"), ("Toulouse", "31000"), ("Dijon", "21000")],
    },
    Country {
        code: "GB", dial: "+44", mailbox: "orders",
        families: ["Ashworth", "Bennett", "Calloway", "Draper", "Ellison", "Fairclough", "Hargreaves", "Langley", "Pemberton", "Whitlock"],
        trades: ["{} Bakery", "The {} Arms", "{} & Sons Grocers", "{} Hotel", "{} Tea Rooms", "{} Catering Ltd"],
        streets: ["High Street", "Station Road", "Church Lane", "Mill Road", "Queen Street", "Victoria Road"],
        cities: [("Leeds", "LS1 4AP"), ("Bristol", "BS1 5TR"), ("Norwich", "NR2 1TF"), ("Glasgow", "G1 3SL"), ("Cardiff", "CF10 1EP"), ("York", "YO1 8AN")],
    },
    Country {
        code: "IT", dial: "+39", mailbox: "acquisti",
        families: ["Ferraro", "Colombo", "Marchetti", "Bellini", "Gallo", "Rinaldi", "Moretti", "Santoro", "Villa", "Costa"],
        trades: ["Panificio {}", "Trattoria {}", "{} Alimentari", "Albergo {}", "Caffè {}", "{} Ristorazione S.r.l."],
        streets: ["Via Roma", "Via Garibaldi", "Corso Italia", "Via Dante", "Piazza del Mercato", "Via Mazzini"],
        cities: [("Torino", "10121"), ("Bologna", "40121"), ("Verona", "37121"), ("Firenze", "50122"), ("Genova", "16121"), ("Trieste", "34121")],
    },
    Country {
        code: "ES", dial: "+34", mailbox: "pedidos",
        families: ["Navarro", "Ortega", "Vidal", "Serrano", "Castillo", "Ibáñez", "Molina", "Pascual", "Herrero", "Campos"],
        trades: ["Panadería {}", "Mesón {}", "Ultramarinos {}", "Hotel {}", "Cafetería {}", "Hijos de {}"],
        streets: ["Calle Mayor", "Calle Real", "Avenida del Puerto", "Plaza de España", "Calle Nueva", "Calle del Carmen"],
        cities: [("Valencia", "46002"), ("Sevilla", "41001"), ("Bilbao", "48005"), ("Zaragoza", "50003"), ("Málaga", "29015"), ("Gijón", "33201")],
    },
    Country {
        code: "NL", dial: "+31", mailbox: "inkoop",
        families: ["De Vries", "Bakker", "Visser", "Smit", "Mulder", "Bos", "Dekker", "Hendriks", "Kuipers", "Van Dam"],
        trades: ["Bakkerij {}", "Eetcafé {}", "{} Delicatessen", "Hotel {}", "Lunchroom {}", "{} Horeca B.V."],
        streets: ["Dorpsstraat", "Kerkstraat", "Molenweg", "Stationsplein", "Havenkade", "Markt"],
        cities: [("Utrecht", "3511 AB"), ("Rotterdam", "3011 WB"), ("Groningen", "9711 LM"), ("Eindhoven", "5611 EM"), ("Haarlem", "2011 RD"), ("Zwolle", "8011 PK")],
    },
    Country {
        code: "SE", dial: "+46", mailbox: "order",
        families: ["Lindgren", "Bergström", "Nyström", "Ekman", "Sandberg", "Hedlund", "Åkerman", "Wallin", "Forsberg", "Sjögren"],
        trades: ["Bageri {}", "{} Krog", "{} Livs", "Hotell {}", "Kafé {}", "{} Storkök AB"],
        streets: ["Storgatan", "Kungsgatan", "Hamngatan", "Skolgatan", "Torget", "Järnvägsgatan"],
        cities: [("Göteborg", "411 06"), ("Malmö", "211 22"), ("Uppsala", "753 20"), ("Västerås", "722 11"), ("Örebro", "702 10"), ("Lund", "222 23")],
    },
    Country {
        code: "US", dial: "+1", mailbox: "purchasing",
        families: ["Abbott", "Caldwell", "Dawson", "Everett", "Holloway", "Jefferson", "Keating", "Mercer", "Prescott", "Thornton"],
        trades: ["{} Bakery", "{}'s Diner", "{} Grocery", "{} Inn", "{} Coffee House", "{} Food Service Inc."],
        streets: ["Main Street", "Oak Avenue", "Maple Street", "Market Street", "Washington Avenue", "Lake Road"],
        cities: [("Portland", "97204"), ("Denver", "80202"), ("Boston", "02108"), ("Austin", "78701"), ("Madison", "53703"), ("Savannah", "31401")],
    },
];

/// How many names there are before one comes again, in another city: countries × families × trades.
const NAMES: u64 = 8 * 10 * 6;

/// One customer in so many is inactive.
const LEFT: u64 = 40;

/// One product in so many is not sold any more.
const DISCONTINUED: u64 = 50;

fn pick<T, const N: usize>(list: &[T; N], index: u64) -> &T {
    &list[usize::try_from(index % N as u64).unwrap_or_default()]
}

/// Whether this customer can get new orders.
pub fn buys(index: u64) -> bool {
    index % LEFT != LEFT - 1
}

/// The customer of this place, from 0, but for the code. Earlier ones are larger: they may owe more.
pub fn customer(index: u64) -> CustomerInput {
    let mut chance = Chance::about("customer", index);
    let country = pick(&COUNTRIES, index);
    let round = index / COUNTRIES.len() as u64;
    let family = pick(&country.families, round);
    let trade = pick(&country.trades, round + round / 10);
    let (city, postal_code) = pick(&country.cities, chance.below(6));
    let mut name = trade.replace("{}", family);
    // The second of a name is told apart by its town, as branches are.
    if index >= NAMES {
        name = format!("{name}, {city} {}", index / NAMES);
    }
    let mut street = || format!("{} {}", pick(&country.streets, chance.below(6)), 1 + chance.below(140));
    let (billing, yard) = (street(), street());
    let delivers_elsewhere = chance.below(4) == 0;
    let limit = [1_500, 2_500, 5_000, 10_000, 25_000, 60_000][usize::try_from(5 - (index % 6)).unwrap_or_default()];
    let elsewhere = |text: &str| delivers_elsewhere.then(|| text.to_owned());
    CustomerInput {
        email: Some(format!("{}@{}-{}.example", country.mailbox, fold::fold(family).replace(' ', "-"), index + 1)),
        name,
        phone: Some(format!("{} 555 {:06}", country.dial, 10_000 + index)),
        tax_id: Some(format!("{}{:09}", country.code, 100_000_007 + index * 13)),
        is_active: buys(index),
        billing_line1: Some(billing),
        billing_postal_code: Some((*postal_code).to_owned()),
        billing_city: Some((*city).to_owned()),
        billing_country: Some(country.code.to_owned()),
        shipping_line1: elsewhere(&yard),
        shipping_postal_code: elsewhere(postal_code),
        shipping_city: elsewhere(city),
        shipping_country: elsewhere(country.code),
        payment_terms_days: Some(*pick(&[14, 30, 30, 45, 60], chance.below(5))),
        credit_limit: (chance.below(5) > 0).then(|| Money::from(limit * 100)),
        notes: (chance.below(12) == 0).then(|| "Closed on Mondays.".to_owned()),
        ..CustomerInput::default()
    }
}

struct Shelf {
    prefix: &'static str,
    category: &'static str,
    /// In units of 10⁻².
    tax_rate: i64,
    /// With the price of the smallest pack, in units of 10⁻⁴.
    goods: [(&'static str, i64); 10],
    packs: [Pack; 4],
}

struct Pack {
    size: &'static str,
    unit: &'static str,
    /// How many times the smallest pack it costs.
    times: i64,
}

const fn pack(size: &'static str, unit: &'static str, times: i64) -> Pack {
    Pack { size, unit, times }
}

const SORTS: [&str; 4] = ["", "organic", "classic", "reserve"];

const BRANDS: [&str; 8] =
    ["Alpenhof", "Bellavista", "Corner Mill", "Dunmore", "Estrella", "Fjordland", "Grandville", "Harvest Road"];

#[rustfmt::skip] // one row each
const SHELVES: [Shelf; 8] = [
    Shelf {
        prefix: "BEV", category: "Beverages", tax_rate: 1_900,
        goods: [("apple juice", 16_500), ("orange juice", 18_900), ("sparkling water", 4_900), ("ginger ale", 7_800), ("tonic water", 8_200), ("lemonade", 9_500), ("iced tea", 8_900), ("cola", 7_400), ("tomato juice", 17_200), ("rhubarb spritzer", 13_900)],
        packs: [pack("6 × 1 l", "case", 6), pack("12 × 0.5 l", "case", 8), pack("24 × 0.33 l", "case", 14), pack("keg 20 l", "keg", 18)],
    },
    Shelf {
        prefix: "HOT", category: "Coffee and tea", tax_rate: 700,
        goods: [("house blend coffee", 149_000), ("decaf coffee", 165_000), ("espresso", 172_000), ("Earl Grey", 68_000), ("peppermint tea", 59_500), ("camomile tea", 61_000), ("green tea", 72_500), ("hot chocolate", 94_000), ("rooibos", 63_500), ("Darjeeling", 88_000)],
        packs: [pack("small", "bag", 1), pack("medium", "bag", 3), pack("large", "box", 5), pack("pallet box", "box", 22)],
    },
    Shelf {
        prefix: "DRY", category: "Dry goods", tax_rate: 700,
        goods: [("spaghetti", 17_500), ("basmati rice", 19_800), ("plain flour", 6_900), ("cane sugar", 12_400), ("rolled oats", 14_300), ("red lentils", 21_900), ("sea salt", 5_200), ("polenta", 13_800), ("chickpeas", 18_600), ("couscous", 20_500)],
        packs: [pack("1 kg", "bag", 1), pack("5 kg", "bag", 4), pack("10 kg", "sack", 8), pack("25 kg", "sack", 18)],
    },
    Shelf {
        prefix: "OIL", category: "Oils and vinegars", tax_rate: 700,
        goods: [("olive oil", 77_000), ("sunflower oil", 22_000), ("rapeseed oil", 24_500), ("white wine vinegar", 19_200), ("balsamic vinegar", 78_000), ("sesame oil", 96_000), ("walnut oil", 124_000), ("cider vinegar", 21_500), ("frying oil", 19_800), ("mustard", 31_000)],
        packs: [pack("1 l", "bottle", 1), pack("5 l", "can", 4), pack("10 l", "can", 8), pack("6 × 1 l", "case", 6)],
    },
    Shelf {
        prefix: "DAI", category: "Dairy", tax_rate: 700,
        goods: [("butter", 94_500), ("whole milk", 11_500), ("gouda", 143_500), ("mozzarella", 89_000), ("cream", 44_000), ("yoghurt", 28_500), ("feta", 118_000), ("mascarpone", 97_500), ("cheddar", 136_000), ("buttermilk", 13_500)],
        packs: [pack("by weight", "kg", 1), pack("6 pieces", "case", 5), pack("12 pieces", "case", 10), pack("bucket 10 kg", "bucket", 9)],
    },
    Shelf {
        prefix: "SPI", category: "Spices", tax_rate: 700,
        goods: [("black pepper", 113_000), ("smoked paprika", 87_000), ("cinnamon", 74_500), ("cumin", 69_000), ("oregano", 58_000), ("bay leaves", 42_500), ("turmeric", 61_500), ("chilli flakes", 66_000), ("nutmeg", 132_000), ("curry powder", 71_000)],
        packs: [pack("500 g", "jar", 1), pack("1 kg", "bag", 2), pack("5 kg", "bag", 9), pack("6 × 500 g", "box", 6)],
    },
    Shelf {
        prefix: "PAC", category: "Packaging", tax_rate: 1_900,
        goods: [("paper cup", 450), ("cup lid", 185), ("kraft bag", 620), ("napkin", 75), ("wooden fork", 240), ("salad bowl", 890), ("pizza box", 1_650), ("soup tub", 780), ("cake board", 1_120), ("baking paper sheet", 130)],
        packs: [pack("small", "pcs", 1), pack("medium", "pcs", 2), pack("large", "pcs", 3), pack("extra large", "pcs", 4)],
    },
    Shelf {
        prefix: "CLE", category: "Cleaning", tax_rate: 1_900,
        goods: [("dish soap", 33_600), ("surface cleaner", 25_900), ("nitrile gloves", 79_000), ("floor cleaner", 29_500), ("descaler", 47_000), ("hand soap", 36_500), ("bin liners", 52_000), ("scouring pads", 24_000), ("glass cleaner", 31_500), ("oven cleaner", 58_500)],
        packs: [pack("1 l", "bottle", 1), pack("5 l", "can", 4), pack("10 l", "can", 7), pack("12 × 1 l", "case", 11)],
    },
];

/// Whether this product can be ordered.
pub fn sells(index: u64) -> bool {
    index % DISCONTINUED != DISCONTINUED - 1
}

fn shelf(index: u64) -> (&'static Shelf, &'static Pack, u64) {
    let (shelf, round) = (pick(&SHELVES, index), index / SHELVES.len() as u64);
    (shelf, pick(&shelf.packs, round / 10), round)
}

/// The product of this place, from 0. All shelves fill alike.
pub fn product(index: u64) -> ProductInput {
    let (shelf, pack, round) = shelf(index);
    let (good, price) = *pick(&shelf.goods, round);
    let (sort, brand) = (round / 40 % 4, (round / 160 + round) % 8);
    let name = [pick(&BRANDS, brand), good, pick(&SORTS, sort)].map(|word| (*word).to_owned());
    let name = name.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let markup = i64::try_from(100 + sort * 14 + brand * 3).unwrap_or(100);
    let exact = price * pack.times * markup / 100;
    // To 5 cents, but for what costs less than a unit of currency and is sold by the thousand.
    let price = if exact < 10_000 { exact } else { exact / 500 * 500 };
    ProductInput {
        sku: format!("{}-{:04}", shelf.prefix, round + 1),
        name: format!("{name}, {}", pack.size),
        category: Some(shelf.category.to_owned()),
        description: (sort == 1).then(|| "From certified organic farming.".to_owned()),
        unit: pack.unit.to_owned(),
        price: UnitPrice::from(price),
        tax_rate: Percent::from(shelf.tax_rate),
        barcode: Some(barcode(index)),
        is_active: sells(index),
    }
}

/// An EAN-13.
fn barcode(index: u64) -> String {
    let digits = format!("4012{index:08}");
    let sum: u32 =
        digits.bytes().zip([1, 3].into_iter().cycle()).map(|(digit, times)| u32::from(digit - b'0') * times).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// How much of a product somebody orders at a time: thousands of cups, some kilograms of cheese, a few cases.
pub fn quantity(index: u64, chance: &mut Chance) -> Quantity {
    let (_, pack, _) = shelf(index);
    Quantity::from(match pack.unit {
        "pcs" => 500_000 * (1 + chance.signed_below(8)),
        "kg" => 250 * (2 + chance.signed_below(60)),
        _ if pack.times > 8 => 1_000 * (1 + chance.signed_below(6)),
        _ => 1_000 * (1 + chance.signed_below(24)),
    })
}
