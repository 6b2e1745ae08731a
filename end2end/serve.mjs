// Starts Kontor on an empty database with the demo company and four people, for the browser tests.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const program = resolve(root, process.env.KONTOR_PROGRAM || "target/debug/kontor");
const folder = mkdtempSync(join(tmpdir(), "kontor-e2e-"));
const env = {
  ...process.env,
  KONTOR_DATABASE_URL: `sqlite:${join(folder, "kontor.db")}`,
  KONTOR_SITE_DIR: join(root, "target/site"),
  KONTOR_SIGN_IN_ATTEMPTS: "10000",
  KONTOR_PAGE_RATE_LIMIT: "0",
  KONTOR_LOG: "warn",
};
delete env.KONTOR_PROGRAM;
const port = env.KONTOR_E2E_PORT;
delete env.KONTOR_E2E_PORT;

const run = (args, input) => execFileSync(program, args, { env, cwd: folder, input, stdio: ["pipe", "ignore", "inherit"] });
for (const [email, name, role] of [
  ["mira@kontor.example", "Mira Anders", "staff"],
  ["ada@kontor.example", "Ada Krug", "administrator"],
  ["noah@kontor.example", "Noah Berg", "staff"],
  ["vera@kontor.example", "Vera Lind", "viewer"],
]) {
  run(["user", "create", email, "--name", name, "--role", role, "--password-stdin"], "correct horse battery");
}
run(["demo"]);

const server = spawn(program, ["serve", "--addr", `127.0.0.1:${port}`], { env, cwd: folder, stdio: "inherit" });
const stop = () => server.kill("SIGTERM");
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
server.on("exit", (code) => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(code ?? 0);
});
