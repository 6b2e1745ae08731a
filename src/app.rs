//! The document, the layout, and one line per module's pages. Knows no query and no table.

use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::components::{Outlet, ParentRoute, Redirect, Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::access::Me;
use crate::accounts::AccessRoutes;
use crate::accounts::own::{self, OwnPage};
use crate::accounts::pages::SignInPage;
use crate::admin::pages::AdminRoutes;
use crate::audit;
use crate::base::Error;
use crate::base::error::Code;
use crate::base::time::zone::Zone;
use crate::customers::pages::PAGES as CUSTOMERS;
use crate::import;
use crate::orders::pages::{OrderRoutes, OrdersOf};
use crate::products::pages::PAGES as PRODUCTS;
use crate::search;
use crate::ui::context::{Origin, PageProblem, Theme};
use crate::ui::frame::{Entry, Frame};
use crate::ui::icon::Shape;
use crate::ui::problem::{Problem, ProblemPage};
use crate::ui::records::RecordRoutes;

/// The document around the app; drawn on the server only.
#[cfg(feature = "ssr")]
mod document;
#[cfg(feature = "ssr")]
pub use document::shell;
/// Whatever somebody wants, by a few letters.
mod palette;

/// The sidebar, in its order.
const ENTRIES: &[Entry] = &[
    Entry { label: "Orders", href: "/orders", icon: Shape::Orders, permission: "orders.view" },
    Entry { label: "Customers", href: "/customers", icon: Shape::Customers, permission: "customers.view" },
    Entry { label: "Products", href: "/products", icon: Shape::Products, permission: "products.view" },
    Entry { label: "Import", href: "/import", icon: Shape::Import, permission: "records.import" },
    Entry { label: "Admin", href: "/admin", icon: Shape::Admin, permission: "admin.view" },
];

/// Everything inside `<body>`.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    if let Some(problem) = use_context::<PageProblem>() {
        return view! { <ProblemPage problem /> }.into_any();
    }
    view! {
        <Router>
            <Routes fallback=NoPage>
                <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async />
                <Route path=path!("/sign-in/code") view=own::chunk(OwnPage::Code) ssr=SsrMode::Async />
                <Route path=path!("/invite") view=own::chunk(OwnPage::Invitation) ssr=SsrMode::Async />
                <ParentRoute path=path!("") view=Layout ssr=SsrMode::Async>
                    <Route path=path!("") view=|| view! { <Redirect path="/orders" /> } />
                    <Route path=path!("/search") view=search::chunk() />
                    // Before the admin area's lists, which take any name.
                    <Route path=path!("/admin/log") view=audit::pages::chunk() />
                    <AccessRoutes />
                    <AdminRoutes />
                    <Route path=path!("/import") view=import::pages::chunk() />
                    <Route path=path!("/account") view=own::chunk(OwnPage::Account) />
                    <Route path=path!("/account/tokens/new") view=own::chunk(OwnPage::NewToken) />
                    <Route path=path!("/account/second-factor") view=own::chunk(OwnPage::SecondFactor) />
                    <OrderRoutes />
                    <RecordRoutes pages=&CUSTOMERS related=|id| view! { <OrdersOf filter="customer" id /> }.into_any() />
                    <RecordRoutes pages=&PRODUCTS related=|id| view! { <OrdersOf filter="product" id /> }.into_any() />
                </ParentRoute>
            </Routes>
        </Router>
    }
    .into_any()
}

/// The frame, with who is signed in for every page below it.
#[component]
fn Layout() -> impl IntoView {
    let (me, theme, origin, zone) = SharedValue::new(|| {
        let theme = use_context::<Theme>().unwrap_or_default().name().to_owned();
        let origin = use_context::<Origin>().unwrap_or_default().0;
        (use_context::<Me>(), theme, origin, use_context::<Zone>().unwrap_or_default())
    })
    .into_inner();
    provide_context(Origin(origin));
    provide_context(zone);
    let me = me.unwrap_or_else(|| Me { name: String::new(), email: String::new(), permissions: Vec::new() });
    provide_context(me.clone());
    view! {
        <Frame entries=ENTRIES me theme=Theme::parse(&theme) palette=palette::open>
            <Outlet />
        </Frame>
    }
}

#[component]
fn NoPage() -> impl IntoView {
    view! {
        <main class="alone">
            <Problem error=Error::new(Code::NotFound, "There is no page at this address.") />
        </main>
    }
}
