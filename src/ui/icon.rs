//! Icons, drawn inline. Shapes from Lucide (ISC).

use leptos::prelude::*;

/// A shape by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Orders,
    Print,
    Up,
    Down,
    Copy,
    Check,
    Truck,
    Undo,
    Customers,
    Products,
    Import,
    Admin,
    Search,
    Plus,
    Menu,
    Left,
    Right,
    Pencil,
    Trash,
    Close,
}

impl Shape {
    const fn path(self) -> &'static str {
        match self {
            Shape::Orders => "M4 4h16v16H4zM8 9h8M8 13h8M8 17h5",
            Shape::Admin => "M12 3 5 6v5c0 4.5 3 8 7 10 4-2 7-5.5 7-10V6zM9 12l2 2 4-4",
            Shape::Print => "M7 8V4h10v4M7 17H4V9h16v8h-3M7 14h10v6H7z",
            Shape::Up => "m6 15 6-6 6 6",
            Shape::Down => "m6 9 6 6 6-6",
            Shape::Copy => "M9 9h11v11H9zM5 15H4V4h11v1",
            Shape::Check => "M20 6 9 17l-5-5",
            Shape::Truck => {
                "M3 6h11v10H3zM14 10h4l3 3v3h-7zM7 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4M17 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4"
            }
            Shape::Undo => "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
            Shape::Customers => {
                "M16 21v-2a4 4 0 0 0-4-4H6a4 4 0 0 0-4 4v2M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8M22 21v-2a4 4 0 0 0-3-3.87M16 3.13a4 4 0 0 1 0 7.75"
            }
            Shape::Products => "M12 3 4 7v10l8 4 8-4V7zM4 7l8 4 8-4M12 11v10",
            Shape::Import => "M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4M7 10l5 5 5-5M12 15V3",
            Shape::Search => "M11 19a8 8 0 1 0 0-16 8 8 0 0 0 0 16M21 21l-4.3-4.3",
            Shape::Plus => "M12 5v14M5 12h14",
            Shape::Menu => "M4 6h16M4 12h16M4 18h16",
            Shape::Left => "m15 6-6 6 6 6",
            Shape::Right => "m9 6 6 6-6 6",
            Shape::Pencil => "M12 20h9M16.5 3.5a2.12 2.12 0 0 1 3 3L7 19l-4 1 1-4z",
            Shape::Trash => "M3 6h18M8 6V4h8v2M19 6l-1 14H6L5 6M10 11v6M14 11v6",
            Shape::Close => "M18 6 6 18M6 6l12 12",
        }
    }
}

/// An icon beside a text that says the same; hidden from screen readers.
#[component]
pub fn Icon(shape: Shape) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
            <path d=shape.path()></path>
        </svg>
    }
}
