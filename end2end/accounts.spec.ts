// Who comes in and what they may: invitations, roles, second factors, one's own account, with JavaScript and without.
import AxeBuilder from "@axe-core/playwright";
import { createHmac } from "node:crypto";
import type { Browser, Page } from "@playwright/test";
import { alive, expect, PASSWORD, signIn, test, unique, watch } from "./support";

const NEW_PASSWORD = "violet harbour lantern";

/** The code an app shows for a secret in base 32, so many half minutes from now (RFC 6238). */
function code(secret: string, steps = 0) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replace(/\s/g, "")].map((c) => letters.indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac("sha1", key).update(counter).digest();
  const offset = digest[19]! & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Invites somebody with these roles and answers with their name, address and link. */
async function invite(page: Page, roles: string[]) {
  const name = unique("Ida");
  const email = `${name.replace(/[^a-z0-9]/gi, "").toLowerCase()}@kontor.example`;
  await page.goto("/admin/users/new");
  await page.getByLabel("Name *").fill(name);
  await page.getByLabel("E-mail *").fill(email);
  for (const role of roles) await page.getByLabel(role, { exact: true }).check();
  await page.getByRole("button", { name: "Create user" }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  const link = await page.locator(".told code").innerText();
  return { name, email, link, page: page.url() };
}

/** Another person's browser. */
async function another(browser: Browser, js: boolean) {
  const page = await (await browser.newContext({ javaScriptEnabled: js })).newPage();
  const complaints: string[] = [];
  watch(page, complaints);
  return { page, complaints };
}

async function accept(page: Page, link: string, js: boolean) {
  await page.goto(link);
  await alive(page, js);
  await page.getByLabel("Password").fill(NEW_PASSWORD);
  await page.getByRole("button", { name: "Choose and sign in" }).click();
  await expect(page.getByRole("button", { name: /menu/ }).last()).toBeVisible();
}

test("somebody is invited, chooses a password, works, and is deactivated", async ({ page, js, browser }) => {
  await signIn(page, js, "ada", "/admin/users");
  const { name, link } = await invite(page, ["Viewer"]);
  await expect(page.locator(".head .badge")).toHaveText("Invited");
  const ida = await another(browser, js);
  await ida.page.goto(link);
  await alive(ida.page, js);
  await ida.page.getByLabel("Password").fill("password1234");
  await ida.page.getByRole("button", { name: "Choose and sign in" }).click();
  await expect(ida.page.getByText("This is easy to guess.")).toBeVisible();
  await accept(ida.page, link, js);
  await ida.page.goto("/orders");
  await expect(ida.page.getByRole("link", { name: "New order" })).toHaveCount(0);
  await expect(ida.page.getByRole("link", { name: "Admin" })).toHaveCount(0);
  expect((await ida.page.goto("/admin/users"))?.status()).toBe(403);
  expect((await ida.page.goto(link))?.status()).toBe(404);

  await page.goto(`/admin/users?search=${encodeURIComponent(name)}`);
  await alive(page, js);
  await page.getByRole("link", { name }).click();
  await expect(page.locator(".head .badge")).toHaveText("Active");
  await alive(page, js);
  await page.getByRole("button", { name: "Deactivate" }).click();
  await expect(page.locator(".head .badge")).toHaveText("Inactive");
  await ida.page.goto("/orders");
  await expect(ida.page).toHaveURL(/\/sign-in/);
  expect(ida.complaints).toEqual([]);
  await ida.page.context().close();
});

test("a role is made and changed by its matrix", async ({ page, js }) => {
  const name = unique("Packers");
  await signIn(page, js, "ada", "/admin/roles");
  await page.getByRole("link", { name: /New role/ }).click();
  await page.getByLabel("Name *").fill(name);
  await page.getByLabel("Orders: View").check();
  await page.getByLabel("Ship orders").check();
  await page.getByRole("button", { name: "Create role" }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  await expect(page.getByText("Orders: View: yes")).toBeAttached();
  await alive(page, js);
  await page.getByRole("link", { name: /Edit/ }).click();
  await expect(page.getByLabel("Ship orders")).toBeChecked();
  await page.getByLabel("Ship orders").uncheck();
  await page.getByLabel("Requires a second factor").check();
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  await expect(page.getByText("Ship orders: yes")).toHaveCount(0);
  await expect(page.getByText("changed this")).toBeVisible();
});

test("whose role asks for a second factor sets it up first, and signs in with codes", async ({ page, js, browser }) => {
  const role = unique("Careful");
  await signIn(page, js, "ada", "/admin/roles/new");
  await page.getByLabel("Name *").fill(role);
  await page.getByLabel("Orders: View").check();
  await page.getByLabel("Requires a second factor").check();
  await page.getByRole("button", { name: "Create role" }).click();
  await expect(page.getByRole("heading", { level: 1, name: role })).toBeVisible();
  const { email, link } = await invite(page, [role]);
  const ida = await another(browser, js);
  await ida.page.goto(link);
  await alive(ida.page, js);
  await ida.page.getByLabel("Password").fill(NEW_PASSWORD);
  await ida.page.getByRole("button", { name: "Choose and sign in" }).click();
  await expect(ida.page).toHaveURL(/\/account\/second-factor$/);
  await ida.page.goto("/orders");
  await expect(ida.page).toHaveURL(/\/account\/second-factor$/);
  await alive(ida.page, js);
  await ida.page.getByRole("button", { name: "Begin" }).click();
  await expect(ida.page.getByRole("img", { name: "QR code of the secret" })).toBeVisible();
  const secret = await ida.page.locator("code.secret").innerText();
  await ida.page.getByLabel(/six digits/).fill(code(secret));
  await ida.page.getByRole("button", { name: "Turn it on" }).click();
  await expect(ida.page.locator(".told code")).toHaveCount(10);
  const recovery = await ida.page.locator(".told code").first().innerText();

  const enter = async (typed: string) => {
    await ida.page.goto("/orders");
    await ida.page.getByRole("button", { name: /menu/ }).last().click();
    await ida.page.getByRole("button", { name: "Sign out" }).click();
    await expect(ida.page).toHaveURL(/\/sign-in$/);
    await ida.page.getByLabel("E-mail").fill(email);
    await ida.page.getByLabel("Password").fill(NEW_PASSWORD);
    await ida.page.getByRole("button", { name: "Sign in" }).click();
    await expect(ida.page).toHaveURL(/\/sign-in\/code/);
    await ida.page.getByLabel("Code").fill(typed);
    await ida.page.getByRole("button", { name: "Sign in" }).click();
  };
  // The one before was used up, and codes of one half minute ahead are taken: both stay good while the clock moves on.
  await enter(code(secret, 1));
  await expect(ida.page).toHaveURL(/\/orders$/);
  await enter(recovery);
  await expect(ida.page).toHaveURL(/\/orders$/);
  await enter(recovery);
  await expect(ida.page.getByText("This code is not right").first()).toBeVisible();
  expect(ida.complaints).toEqual([]);
  await ida.page.context().close();
});

test("one's own account: zone, token, sessions, password", async ({ page, js, browser }) => {
  await signIn(page, js, "ada", "/admin/users");
  const { email, link } = await invite(page, ["Staff"]);
  const ida = await another(browser, js);
  await accept(ida.page, link, js);
  await ida.page.goto("/account");
  await alive(ida.page, js);
  await ida.page.getByLabel("Show times in").selectOption("Asia/Kolkata");
  await ida.page.getByRole("button", { name: "Save" }).click();
  await expect(ida.page.getByLabel("Show times in")).toHaveValue("Asia/Kolkata");
  await expect(ida.page.locator("time").first()).toHaveAttribute("title", "Asia/Kolkata");
  await ida.page.goto("/account/tokens/new");
  await alive(ida.page, js);
  await ida.page.getByLabel("Name *").fill("my script");
  await ida.page.getByLabel("Orders: View").check();
  await expect(ida.page.getByLabel("Users: View")).toHaveCount(0);
  await ida.page.getByRole("button", { name: "Make the token" }).click();
  const secret = await ida.page.locator(".told code").innerText();
  const answer = await ida.page.request.get("/api/orders/", { headers: { authorization: `Bearer ${secret}` } });
  expect(answer.status()).toBe(200);
  await ida.page.goto("/account");
  await alive(ida.page, js);
  await ida.page.getByRole("button", { name: "Revoke my script" }).click();
  await expect(ida.page.getByText("Revoked").first()).toBeVisible();

  const phone = await another(browser, js);
  await phone.page.goto("/sign-in?next=/orders");
  await phone.page.getByLabel("E-mail").fill(email);
  await phone.page.getByLabel("Password").fill(NEW_PASSWORD);
  await phone.page.getByRole("button", { name: "Sign in" }).click();
  await expect(phone.page).toHaveURL(/\/orders$/);
  await ida.page.goto("/account");
  await alive(ida.page, js);
  await ida.page.getByLabel("Old password").fill(NEW_PASSWORD);
  await ida.page.getByLabel("New password").fill(`${PASSWORD} staple`);
  await ida.page.getByRole("button", { name: "Change password" }).click();
  await expect(ida.page).toHaveURL(/\/account$/);
  await phone.page.goto("/orders");
  await expect(phone.page).toHaveURL(/\/sign-in/);
  await ida.page.goto("/orders");
  await expect(ida.page).toHaveURL(/\/orders$/);
  expect([...ida.complaints, ...phone.complaints]).toEqual([]);
  await ida.page.context().close();
  await phone.page.context().close();
});

for (const scheme of ["light", "dark"] as const) {
  for (const width of [1280, 390]) {
    test(`axe finds nothing on the pages of access, ${scheme}, ${width} wide`, async ({ page, js }) => {
      test.skip(!js, "axe is a program");
      test.setTimeout(180_000);
      await page.emulateMedia({ colorScheme: scheme });
      await page.setViewportSize({ width, height: 900 });
      await signIn(page, js, "ada", "/admin/users");
      const { link } = await invite(page, ["Viewer", "Staff"]);
      const paths = ["/admin/users", "/admin/users/1", "/admin/users/1/edit", "/admin/users/new", "/admin/roles", "/admin/roles/2"];
      const more = ["/admin/roles/2/edit", "/admin/sessions", "/admin/tokens", "/admin/tokens/new", "/account", "/account/tokens/new"];
      for (const path of [...paths, ...more, "/account/second-factor", "/sign-in/code", link]) {
        await page.goto(path);
        await alive(page, js);
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(violations.map(({ id, nodes }) => `${path} ${id} ${nodes[0]?.html}`)).toEqual([]);
        if (process.env.SHOTS) {
          const name = path.replace(/^.*key=.*/, "invite").replace(/\W+/g, "-");
          await page.screenshot({ path: `${process.env.SHOTS}/${name}-${scheme}-${width}.png`, fullPage: true });
        }
      }
    });
  }
}
