//! The command line of Kontor. It reads, it says, and it calls the entities; it knows no business rule.

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::TimeDelta;
use clap::{Args, Parser, Subcommand};
use kontor::access::gate::Access;
use kontor::access::part::Part;
use kontor::access::people::UserInput;
use kontor::access::token::{NewToken, Owner};
use kontor::access::{password, token, user};
use kontor::base::error::Code;
use kontor::base::form::Input;
use kontor::base::listing::MAX_PAGE_SIZE;
use kontor::base::time::Moment;
use kontor::base::time::stored::now;
use kontor::base::time::zone::Zone;
use kontor::base::{Error, Result};
use kontor::history::chain;
use kontor::server::database::Database;
use kontor::server::floor;
use kontor::server::live;
use kontor::server::progress;
use kontor::server::record::Add;
use kontor::server::settings::Settings;
use kontor::{demo, house, import};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An order desk: customers, products and orders, a web app for staff and a REST API for scripts, from one program and one
/// database.
#[derive(Parser)]
#[command(version, about, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Settings come from flags, then the environment (KONTOR_…), then kontor.toml in this folder.
`kontor settings` lists them all with their defaults.

First steps:
  kontor serve --demo                 try it on a demo company
  kontor user create you@example.com --name \"You\" --role administrator
  kontor token create --user you@example.com --name shop --permission products.view";

#[derive(Args)]
struct Global {
    /// The database: sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// The file of settings [default: kontor.toml, when there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Begin with an empty database where the one that was there is missing; say it once, not in a service file
    #[arg(long, global = true)]
    new_database: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the web app and the API; brings the schema up to date first
    Serve {
        /// Where to listen [default: 127.0.0.1:3000]
        #[arg(long)]
        addr: Option<String>,
        /// Leave the schema as it is
        #[arg(long)]
        no_migrate: bool,
        /// Load a demo company into an empty database
        #[arg(long)]
        demo: bool,
        /// Mount what benchmarks compare with, open to everybody on this machine
        #[arg(long, hide = true)]
        bench_floor: bool,
    },
    /// Look after the schema of the database
    #[command(subcommand)]
    Migrate(Migrate),
    /// Load a demo company into an empty database: a small one, or one with five years of orders
    #[command(after_help = "\
With --orders the company grows with its orders: about one customer for 20 of them, one product for 100, five lines on each.
The same number is the same company on every database. It is written a thousand orders at a time: when it is stopped,
start again with an empty database.")]
    Demo {
        /// How many orders the company has had in five years, up to ten million; without it, a small company with 160
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        orders: Option<u64>,
    },
    /// Import customers, products and orders with their lines from CSV files
    Import(import::cli::Arguments),
    /// Look after people who sign in
    #[command(subcommand)]
    User(User),
    /// Look after API tokens
    #[command(subcommand)]
    Token(Token),
    /// Look after the log of everything that was done
    #[command(subcommand)]
    History(History),
    /// Print the OpenAPI document
    Openapi,
    /// Print all settings with their defaults, as a kontor.toml
    Settings,
    /// Ask a running server whether it is well; for containers
    Healthcheck {
        /// Where it listens [default: 127.0.0.1:3000]
        #[arg(long)]
        addr: Option<String>,
    },
}

#[derive(Subcommand)]
enum Migrate {
    /// Apply every step that is missing
    Up,
    /// List the steps and whether they are applied
    Status,
    /// Take back the latest steps, with everything stored in them
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
}

#[derive(Subcommand)]
enum History {
    /// Prove that no event was altered, inserted, moved or cut off, and print how many there are and the head of their chain
    #[command(after_help = "\
Write the head down somewhere else now and then: `kontor history verify --head HASH` later proves that nothing up to there
was written anew. Leaves with an error when the chain is broken, naming the first event that is not as it was.")]
    Verify {
        /// A head that was printed earlier and must be in the chain
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
}

#[derive(Subcommand)]
enum User {
    /// Add a person; prints a generated password unless one is read from standard input
    Create {
        email: String,
        #[arg(long)]
        name: String,
        /// The code of a role, such as administrator, staff or viewer; several times for several
        #[arg(long = "role", value_name = "CODE", required = true)]
        roles: Vec<String>,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List everybody
    List,
    /// Give a person another password; ends their sessions
    SetPassword {
        email: String,
        /// End their API tokens too
        #[arg(long)]
        end_tokens: bool,
        /// Read the password from standard input instead of making one
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Subcommand)]
enum Token {
    /// Make a token and print it, this once
    Create {
        /// The person it acts for
        #[arg(long, value_name = "EMAIL")]
        user: String,
        #[arg(long)]
        name: String,
        /// What it may, such as products.view; everything the person may when none is given
        #[arg(long = "permission", value_name = "CODE")]
        permissions: Vec<String>,
        /// How long it lasts, such as 12h, 90d or 52w; for ever when not given
        #[arg(long, value_parser = lifetime)]
        expires: Option<TimeDelta>,
        /// Make it name the version of everything it changes (If-Match)
        #[arg(long)]
        require_if_match: bool,
    },
    /// List all tokens, without their secrets
    List,
    /// End a token at once
    Revoke {
        /// Its number in the list
        id: i64,
    },
}

fn lifetime(text: &str) -> std::result::Result<TimeDelta, String> {
    let wrong = || "write a number with h, d or w, such as 90d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: u32 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    let hours = match unit {
        'h' => 1,
        'd' => 24,
        'w' => 24 * 7,
        _ => return Err(wrong()),
    };
    if number == 0 || number > 100_000 {
        return Err("choose a time between an hour and a lifetime".into());
    }
    Ok(TimeDelta::hours(i64::from(number) * hours))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    small_pages();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start: {error}")),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.internal.as_deref().map_or_else(|| error.to_string(), str::to_owned)),
    }
}

/// Has the system back memory with pages of 4 KiB: with those of 2 MiB, which the allocator asks for, a server that needs
/// 30 MB holds 50.
fn small_pages() {
    #[cfg(target_os = "linux")]
    // A system that refuses costs memory, nothing else.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn failed(why: &str) -> ExitCode {
    eprintln!("kontor: {why}");
    ExitCode::FAILURE
}

async fn run(cli: Cli) -> Result<()> {
    let addr = match &cli.command {
        Command::Serve { addr, .. } | Command::Healthcheck { addr } => addr.clone(),
        _ => None,
    };
    let flags = [("addr", addr), ("database_url", cli.global.database_url)];
    let settings =
        Settings::load(&flags, cli.global.config.as_deref()).map_err(|error| Error::invalid(error.to_string()))?;
    start_log(&settings.log);
    if cli.global.new_database {
        Database::allow_new(&settings.database_url).map_err(|error| Error::internal(error.to_string()))?;
    }
    match cli.command {
        Command::Serve { no_migrate, demo, bench_floor, .. } => serve(settings, !no_migrate, demo, bench_floor).await,
        Command::Healthcheck { .. } => healthcheck(&settings).await,
        Command::Openapi => print_json(&house::api().document()),
        Command::Settings => print(&Settings::documented()),
        Command::Migrate(command) => migrate(&connect(&settings).await?, command).await,
        Command::Demo { orders } => {
            let database = ready(&settings).await?;
            let loaded = match orders {
                Some(orders) => {
                    let bar = progress::bar(orders);
                    let loaded = demo::company::load(&database, orders, &|done| bar.set_position(done)).await;
                    bar.finish_and_clear();
                    loaded?
                }
                None => demo::load(&database).await?,
            };
            seal(&database).await;
            database.close().await;
            print(&format!("{loaded}\n"))
        }
        Command::Import(arguments) => {
            let database = ready(&settings).await?;
            import::cli::import(&database, arguments).await?;
            seal(&database).await;
            Ok(())
        }
        Command::User(command) => users(&ready(&settings).await?, command).await,
        Command::Token(command) => tokens(&ready(&settings).await?, command).await,
        Command::History(command) => history(&ready(&settings).await?, command).await,
    }
}

fn start_log(filter: &str) {
    let understood = |filter: &str| filter.parse::<Targets>().unwrap_or_default();
    let (filter, handle) = reload::Layer::new(understood(filter));
    live::relog_by(move |filter| {
        if let Err(error) = handle.reload(understood(filter)) {
            tracing::error!(%error, "the log keeps its filter");
        }
    });
    let registry = tracing_subscriber::registry().with(filter);
    if std::io::stderr().is_terminal() {
        registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false)).init();
    } else {
        let json = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false);
        registry.with(json.with_writer(std::io::stderr)).init();
    }
}

async fn connect(settings: &Settings) -> Result<Database> {
    let database = Database::connect_with(&settings.database_url, settings.durability, settings.timeouts)
        .await
        .map_err(|error| Error::internal(format!("cannot open the database: {error}")))?;
    database.refuse_transaction_pooling().await?;
    Ok(database.knowing(&house::REFERENCES, &settings.currency).granting(house::catalogue()))
}

/// The database with its schema up to date.
async fn ready(settings: &Settings) -> Result<Database> {
    let database = connect(settings).await?;
    database.migrate().await?;
    Ok(database)
}

async fn serve(settings: Settings, migrate: bool, with_demo: bool, with_floor: bool) -> Result<()> {
    if with_floor && !settings.addr.ip().is_loopback() {
        return Err(Error::invalid("--bench-floor is for an address of this machine alone, such as 127.0.0.1:3000"));
    }
    let database = if migrate { ready(&settings).await? } else { connect(&settings).await? };
    database.schema().await?.accept()?;
    let listener = tokio::net::TcpListener::bind(settings.addr)
        .await
        .map_err(|error| Error::internal(format!("cannot listen on {}: {error}", settings.addr)))?;
    let at = listener.local_addr()?;
    if user::Entity::is_empty(&Access::system(&database)?).await? {
        let (email, password) = ("admin@kontor.example", password::generated());
        let administrator = person(email, "Administrator", vec!["administrator".into()]);
        // Of servers that start together, one makes the administrator.
        if user::Entity::enlist_first(&Access::system(&database)?, administrator, password.clone()).await?.is_none() {
            return listen(settings, database, listener, with_floor).await;
        }
        print(&format!(
            "\n  Kontor is ready at http://{at}\n\n    e-mail    {email}\n    password  {password}\n\n  The password is \
             shown this once. Change it under /account.\n\n"
        ))?;
        if with_demo {
            demo::load(&database).await?;
        }
    }
    listen(settings, database, listener, with_floor).await
}

async fn listen(
    settings: Settings,
    database: Database,
    listener: tokio::net::TcpListener,
    with_floor: bool,
) -> Result<()> {
    let at = listener.local_addr()?;
    let others = if with_floor { floor::routes(database.clone()) } else { axum::Router::new() };
    let state = house::state(settings, database);
    let stop = stop()?;
    tracing::info!(address = %format!("http://{at}"), "serving");
    house::serve_beside(others, state, listener, stop).await
}

/// Comes with Ctrl-C, or with SIGTERM as containers and service managers send it; counts from the moment of the call.
fn stop() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

async fn healthcheck(settings: &Settings) -> Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let unwell = |error: std::io::Error| Error::internal(format!("no answer from {}: {error}", settings.addr));
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(settings.addr).await?;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", settings.addr);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(settings.request_timeout, ask)
        .await
        .map_err(|_| Error::internal(format!("no answer from {} in time", settings.addr)))?
        .map_err(unwell)?;
    match answer.lines().next() {
        Some(status) if status.contains(" 200 ") => print("ready\n"),
        status => Err(Error::internal(format!("not ready: {}", status.unwrap_or("no status")))),
    }
}

async fn migrate(database: &Database, command: Migrate) -> Result<()> {
    match command {
        Migrate::Up => database.migrate().await?,
        Migrate::Down { steps } => database.migrate_down(steps).await?,
        Migrate::Status => {}
    }
    let schema = database.schema().await?;
    for (name, state) in &schema.steps {
        print(&format!("{}  {name}\n", state.name()))?;
    }
    schema.accept()
}

/// Somebody who signs in.
fn person(email: &str, name: &str, roles: Vec<String>) -> UserInput {
    UserInput { email: email.into(), name: name.into(), roles, is_active: true, is_service: false }
}

async fn users(database: &Database, command: User) -> Result<()> {
    match command {
        User::Create { email, name, roles, password_stdin } => {
            let password = chosen_password(password_stdin)?;
            let access: Access<Add<user::Entity>> = Access::system(database)?;
            user::Entity::enlist(&access, checked(&person(&email, &name, roles))?, password.clone()).await?;
            if password_stdin { Ok(()) } else { print(&format!("{password}\n")) }
        }
        User::List => {
            for user in user::Entity::everybody(&Access::system(database)?).await? {
                let state = if user.is_active { "active" } else { "inactive" };
                print(&format!("{:>4}  {:<32} {:<20} {state:<9} {}\n", user.id, user.email, user.roles, user.name))?;
            }
            Ok(())
        }
        User::SetPassword { email, end_tokens, password_stdin } => {
            let password = chosen_password(password_stdin)?;
            let tokens = if end_tokens { user::Tokens::End } else { user::Tokens::Keep };
            user::Entity::set_password(&Access::system(database)?, &email, password.clone(), tokens).await?;
            if password_stdin { Ok(()) } else { print(&format!("{password}\n")) }
        }
    }
}

/// The input, held against its rules.
fn checked<I: Input>(input: &I) -> Result<I> {
    let values = input.values().into_iter().map(|(name, value)| (name, value.into()));
    I::given(&values.collect::<Vec<_>>())
}

/// Puts what was written into the chain of events, rather than leave it to the next server.
async fn seal(database: &Database) {
    if let Err(error) = chain::seal(database).await {
        tracing::warn!(error = error.internal.as_deref(), "could not seal events");
    }
}

async fn history(database: &Database, command: History) -> Result<()> {
    let History::Verify { head } = command;
    seal(database).await;
    let access = Access::<kontor::history::View>::system(database)?;
    let started = std::time::Instant::now();
    let verdict = chain::verify(&access, head.as_deref()).await?;
    if let Some(fault) = verdict.fault {
        let row = fault.id.map_or_else(String::new, |id| format!(", row {id}"));
        return Err(Error::new(Code::Conflict, format!("place {}{row}: {}", fault.place, fault.what)));
    }
    let seconds = started.elapsed().as_secs_f64();
    print(&format!("count  {}\nhead   {}\n", verdict.head.count, verdict.head.hash))?;
    tracing::info!(seconds, "nothing was altered");
    match (head, verdict.sought) {
        (Some(_), Some(place)) => print(&format!("the head that was given stands at place {place}\n")),
        (Some(head), None) => Err(Error::new(Code::Conflict, format!("{head} is no hash of this chain"))),
        (None, _) => Ok(()),
    }
}

fn chosen_password(from_stdin: bool) -> Result<String> {
    if !from_stdin {
        return Ok(password::generated());
    }
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

async fn tokens(database: &Database, command: Token) -> Result<()> {
    match command {
        Token::Create { user, name, permissions, expires, require_if_match } => {
            let expires_at = expires.map(|lifetime| now() + lifetime);
            let new = NewToken { name, permissions, expires_at, requires_version: require_if_match };
            let (_, secret) = token::Entity::issue(&Access::system(database)?, Owner::Email(user), new).await?;
            print(&format!("{secret}\n"))
        }
        Token::List => {
            let day = |at: Option<Moment>| at.map_or_else(|| "never".to_owned(), |at| Zone::default().said(&at));
            let (access, mut tokens) = (Access::system(database)?, Vec::new());
            let mut part = Some(Part { page_size: MAX_PAGE_SIZE, ..Part::default() });
            while let Some(asked) = part {
                let listed = token::Entity::list(&access, asked).await?;
                tokens.extend(listed.lines);
                part = asked.next(listed.count);
            }
            for token in tokens.into_iter().rev() {
                let scope = token.permissions.map_or_else(|| "everything".to_owned(), |scope| scope.join(" "));
                let state = token.revoked_at.map_or_else(
                    || format!("expires {}", day(token.expires_at)),
                    |at| format!("revoked {}", Zone::default().said(&at)),
                );
                print(&format!(
                    "{:>4}  {:<24} {:<32} {state}, used {}, may {scope}\n",
                    token.id,
                    token.name,
                    token.email,
                    day(token.last_used_at)
                ))?;
            }
            Ok(())
        }
        Token::Revoke { id } => token::Entity::revoke(&Access::system(database)?, id).await,
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn print_json(value: &serde_json::Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::internal(error.to_string()))?;
    print(&format!("{text}\n"))
}
