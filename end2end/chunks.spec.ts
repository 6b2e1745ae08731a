// Pages whose code comes later: fetched once without leaving the document, and when it does not come, the page is there anyway.
import type { Page } from "@playwright/test";
import { alive, expect, signIn, test, unique } from "./support";

const CODE = "**/pkg/split_*.wasm";

test.beforeEach(({ js }) => {
  test.skip(!js, "without JavaScript there is no code to fetch");
});

test("from a list to a record, back and to a new one the document stays", async ({ page, js }) => {
  for (const [list, record, heading] of [
    ["/orders", /\/orders\/\d+/, "New order"],
    ["/customers", /\/customers\/\d+/, "New customer"],
  ] as const) {
    await signIn(page, js, "mira", list);
    await page.evaluate(() => ((window as any).stays = true));
    await page.getByRole("row").nth(1).getByRole("link").first().click();
    await expect(page).toHaveURL(record);
    await expect(page.locator("nav.crumb")).toBeVisible();
    await page.goBack();
    await expect(page).toHaveURL(new RegExp(`${list}$`));
    await page.getByRole("link", { name: new RegExp(heading) }).click();
    await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
    expect(await page.evaluate(() => (window as any).stays)).toBe(true);
  }
});

test("a page with code of its own comes to life when it is opened directly", async ({ page, js }) => {
  await signIn(page, js);
  for (const path of ["/orders/1", "/orders/new", "/customers/2", "/customers/2/edit", "/import"]) {
    const code = page.waitForResponse((response) => /\/pkg\/split_/.test(response.url()));
    await page.goto(path);
    await alive(page, js);
    expect((await code).ok()).toBe(true);
    const asked = await page.evaluate(() =>
      performance.getEntriesByType("resource").map((one) => ({ name: one.name, by: (one as PerformanceResourceTiming).initiatorType })),
    );
    const early = asked.filter(({ name, by }) => name.endsWith(".wasm") && by === "link").map(({ name }) => name);
    expect(early.some((name) => name.includes("/pkg/split_"))).toBe(true);
    // Not one after the other, once the program runs, and not so many that they stand in line.
    expect(new Set(asked.map(({ name }) => name).filter((name) => /\/(split|chunk)_/.test(name)))).toEqual(new Set(early));
    expect(early.length).toBeLessThan(12);
  }
});

test("a page whose code cannot be fetched is loaded whole, once, and works as without JavaScript", async ({ page, js, context }) => {
  await signIn(page, js);
  // Chromium writes the requests that are refused below to the console, so they are made on a page nobody listens to.
  const plain = await context.newPage();
  await plain.route(CODE, (route) => route.abort());
  await plain.goto("/orders");
  await alive(plain, js);
  const documents: string[] = [];
  plain.on("request", (request) => {
    if (request.isNavigationRequest()) documents.push(new URL(request.url()).pathname);
  });
  const tried = plain.waitForEvent("requestfailed", (request) => request.url().includes("/pkg/split_"));
  await plain.getByRole("link", { name: /New order/ }).click();
  await tried;
  await expect(plain).toHaveURL(/\/orders\/new$/);
  await expect(plain.getByRole("heading", { level: 1, name: "New order" })).toBeVisible();
  // On the new document the code fails again, and that is that.
  await plain.waitForLoadState("networkidle");
  expect(documents).toEqual(["/orders/new"]);
  await expect(plain.locator("html")).not.toHaveAttribute("data-hydrated");
  await expect(plain).toHaveTitle("New order · Kontor");

  const reference = unique("Plain");
  await plain.locator("#f-customer").fill("C-00003");
  await plain.getByLabel("Customer's reference").fill(reference);
  await plain.getByRole("button", { name: "Save draft" }).click();
  await expect(plain).toHaveURL(/\/orders\/\d+$/);
  await expect(plain.getByLabel("Customer's reference")).toHaveValue(reference);
  await plain.getByRole("link", { name: "Customers" }).click();
  await expect(plain.getByRole("heading", { level: 1, name: "Customers" })).toBeVisible();
  await alive(plain, js);

  await plain.unroute(CODE);
  await plain.goto("/orders/new");
  await alive(plain, js);
});

test("a page whose code failed once comes to life in the document that is loaded for it", async ({ page, js, context }) => {
  await signIn(page, js);
  const other = await context.newPage();
  await other.route(CODE, (route) => route.abort(), { times: 1 });
  await other.goto("/customers?ordering=name");
  await alive(other, js);
  await other.evaluate(() => ((window as any).stays = true));
  await other.getByRole("row").nth(1).getByRole("link").first().click();
  await expect(other).toHaveURL(/\/customers\/\d+\?ordering=name&at=1$/);
  await expect(other.getByRole("link", { name: "Next in the list" })).toBeVisible();
  await alive(other, js);
  expect(await other.evaluate(() => (window as any).stays)).toBeUndefined();
  await other.goBack();
  await expect(other).toHaveURL(/\/customers\?ordering=name$/);
});

/** Opens a page whose code does not come before it is released. */
async function held(page: Page, path: string) {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route(CODE, async (route) => {
    await released;
    await route.continue();
  });
  const asked = page.waitForRequest(CODE);
  await page.goto(path);
  await asked;
  return release;
}

test("a link followed before the page is alive leads where it says", async ({ page, js }) => {
  await signIn(page, js);
  const release = await held(page, "/orders/1");
  await page.getByRole("link", { name: "Products" }).click();
  await expect(page).toHaveURL(/\/products$/);
  await expect(page.getByRole("heading", { level: 1, name: "Products" })).toBeVisible();
  release();
  await alive(page, js);
});

test("what is typed before an order is alive stays in it", async ({ page, js }) => {
  await signIn(page, js);
  const release = await held(page, "/orders/new");
  const row = page.locator(".grid tbody tr").nth(1);
  await page.locator("#f-customer").fill("C-00003");
  await row.getByLabel("SKU").fill("bev-001");
  await row.getByLabel("Quantity").fill("2");
  await expect(page).toHaveTitle("New order · Kontor");
  release();
  await alive(page, js);
  await expect(row.getByLabel("SKU")).toHaveValue("BEV-001");
  await expect(row.getByLabel("Quantity")).toHaveValue("2");
  await expect(row.locator("td.n")).toHaveText("29.80");
  await expect(page.locator("#f-customer")).not.toHaveValue("C-00003");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page).toHaveURL(/\/orders\/\d+$/);
});

test("where the code of the palette cannot be fetched, its key leads to the search over everything", async ({ page, js, context }) => {
  await signIn(page, js);
  const plain = await context.newPage();
  await plain.route(CODE, (route) => route.abort());
  await plain.goto("/customers");
  await alive(plain, js);
  const search = plain.getByRole("searchbox", { name: "Search everything" });
  for (let press = 0; press < 2; press++) {
    await plain.locator("#content").focus();
    await plain.keyboard.press("Control+k");
    await expect(search).toBeFocused();
  }
});
