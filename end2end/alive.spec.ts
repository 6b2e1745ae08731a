// What the browser bundle adds: navigation without reloading, keys, pages without a complaint from axe.
import AxeBuilder from "@axe-core/playwright";
import { alive, expect, PASSWORD, signIn, test, unique } from "./support";

test.beforeEach(({ js }) => {
  test.skip(!js, "this is what JavaScript adds");
});

test("after hydration no click reloads the page", async ({ page, js }) => {
  await signIn(page, js);
  await page.evaluate(() => ((window as any).stays = true));
  await page.getByRole("link", { name: "Products" }).click();
  await expect(page.getByRole("heading", { name: "Products" })).toBeVisible();
  await page.getByRole("link", { name: "Unit price" }).click();
  // The rows before stay until those of the new order are there.
  await expect(page.locator("th[aria-sort=ascending]")).toContainText("Unit price");
  await expect(page).toHaveURL(/ordering=price/);
  await page.getByRole("row").nth(1).getByRole("link").first().click();
  await expect(page).toHaveURL(/\/products\/\d+\?ordering=price&at=1$/);
  await page.getByRole("link", { name: /Edit/ }).click();
  await page.getByLabel("Barcode").fill(unique("B"));
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page).toHaveURL(/\/products\/\d+\?ordering=price&at=1$/);
  await expect(page.getByText("changed this").first()).toBeVisible();
  await page.goBack();
  expect(await page.evaluate(() => (window as any).stays)).toBe(true);
});

test("links within a page lead the keyboard along", async ({ page, js }) => {
  await signIn(page, js, "mira", "/customers/new");
  await alive(page, js);
  await page.locator("body").press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("#content")).toBeFocused();
  await page.getByRole("button", { name: "Create customer" }).click();
  await page.locator("#error-summary").getByRole("link", { name: "Name" }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.type("Somebody");
  await expect(page.getByLabel("Name *")).toHaveValue("Somebody");
});

test("everything goes by keyboard alone", async ({ page }) => {
  const name = unique("Keyboard");
  const keys = page.keyboard;
  await page.goto("/customers");
  await keys.type("mira@kontor.example");
  await keys.press("Tab");
  await keys.type(PASSWORD);
  await keys.press("Enter");
  await expect(page).toHaveURL(/\/customers$/);
  await alive(page, true);
  await keys.press("?");
  await expect(page.getByRole("dialog")).toContainText("Search this list");
  await keys.press("Escape");
  await keys.press("n");
  await expect(page).toHaveURL(/\/customers\/new$/);
  await page.getByLabel("Name *").focus();
  await keys.type(name);
  await keys.press("Enter");
  await expect(page).toHaveURL(/\/customers\/\d+$/);
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  await keys.press("e");
  await expect(page).toHaveURL(/\/edit$/);
  await page.getByLabel("Name *").focus();
  await keys.press("End");
  await keys.type(" II");
  await keys.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: `${name} II` })).toBeVisible();
  await page.goto("/customers");
  await alive(page, true);
  await keys.press("/");
  await expect(page.getByLabel(/^Search name/)).toBeFocused();
  await keys.type(name);
  await keys.press("Enter");
  await expect(page.getByText("1–1 of 1")).toBeVisible();
  await page.locator("#content").focus();
  await keys.press("j");
  await keys.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: `${name} II` })).toBeVisible();
  await page.getByRole("link", { name: /Delete/ }).focus();
  await keys.press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.getByRole("button", { name: "Delete for good" }).focus();
  await keys.press("Enter");
  await expect(page).toHaveURL(/\/customers$/);
});

test("the palette goes somewhere, makes something new and finds a record by a few letters", async ({ page, js }) => {
  const sku = unique("PAL").replaceAll(" ", "-");
  await signIn(page, js);
  const keys = page.keyboard;
  const palette = page.getByRole("dialog", { name: "Go to, create or find" });
  await keys.press("Control+k");
  await expect(palette.getByRole("textbox")).toBeFocused();
  await keys.type("new prod");
  await keys.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "New product" })).toBeVisible();
  await expect(palette).toBeHidden();
  await page.getByLabel("SKU *").fill(sku);
  await page.getByLabel("Name *").fill(`Thing ${sku}`);
  await page.getByLabel("Price *").fill("1.20");
  page.once("dialog", (question) => question.dismiss());
  await keys.press("Control+k");
  await keys.type("customers");
  await keys.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "New product" })).toBeVisible();
  await expect(page.getByLabel("SKU *")).toHaveValue(sku);
  await page.getByRole("button", { name: "Create product" }).click();
  await expect(page.getByRole("heading", { level: 1, name: `Thing ${sku}` })).toBeVisible();

  await page.goto("/orders");
  await alive(page, js);
  // Enter may come before the answer: what was typed is opened, not what an earlier letter found.
  await keys.press("Control+k");
  await keys.type(sku);
  await keys.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: `Thing ${sku}` })).toBeVisible();

  await keys.press("Control+k");
  await expect(palette.getByRole("textbox")).toHaveValue(sku);
  await keys.type("nothing has this name");
  await expect(palette.getByRole("link")).toHaveText(["Search everything for “nothing has this name”"]);
  await keys.press("ArrowDown");
  await expect(palette.getByRole("link")).toBeFocused();
  await keys.press("ArrowUp");
  await expect(palette.getByRole("textbox")).toBeFocused();
  await expect((await new AxeBuilder({ page }).include("dialog[open]").analyze()).violations).toEqual([]);
  await keys.press("Escape");
  await expect(palette).toBeHidden();
  await keys.press("Control+k");
  await keys.type("acc");
  await keys.press("ArrowDown");
  await keys.press("Enter");
  await expect(page).toHaveURL(/\/account$/);
});

for (const scheme of ["light", "dark"] as const) {
  for (const width of [1280, 390]) {
    test(`axe finds nothing on any page, ${scheme}, ${width} wide`, async ({ page, js }) => {
      test.setTimeout(180_000);
      await page.emulateMedia({ colorScheme: scheme });
      await page.setViewportSize({ width, height: 800 });
      const inspect = async (where: string) => {
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(violations.map((v) => `${where}: ${v.id} ${v.nodes.map((n) => n.target).join(" ")}`)).toEqual([]);
      };
      const check = async (path: string) => {
        await page.goto(path);
        await page.waitForLoadState("load");
        await inspect(path);
      };
      await check("/sign-in");
      await signIn(page, js);
      const draft = async () => {
        await page.goto("/orders?status=draft");
        const href = await page.locator("a.key").first().getAttribute("href");
        return href!.split("?")[0];
      };
      for (const path of [
        "/orders",
        "/orders?status=placed&order_date__gte=2020-01-01",
        "/api/docs/",
        "/orders/new",
        "/orders/1",
        "/orders/1/print",
        await draft(),
        `${await draft()}/cancel`,
        "/customers",
        "/customers?search=nobody-at-all",
        "/customers?is_active=true",
        "/customers/new",
        "/customers/2",
        "/customers/2/edit",
        "/customers/2/delete",
        "/products",
        "/products/new",
        "/products/3",
        "/search?q=caf",
        "/import",
        "/customers/999999",
        "/nowhere",
      ]) {
        await check(path);
      }
      await page.goto("/customers/2/edit");
      await alive(page, js);
      await page.getByLabel("Name *").fill("");
      await page.getByRole("button", { name: "Save changes" }).click();
      await expect(page.locator("#error-summary")).toBeVisible();
      await inspect("/customers/2/edit, refused");

      // An upload with a problem, then one without.
      for (const sku of ["", unique("AXE")]) {
        await page.goto("/import");
        const buffer = Buffer.from(`sku,name,unit,price,colour\n${sku},Pen,pcs,1,red\n`);
        await page.getByLabel("Products", { exact: true }).setInputFiles({ name: "products.csv", mimeType: "text/csv", buffer });
        await page.getByRole("button", { name: "Upload" }).click();
        await page.getByText("Further rules").first().click();
        await inspect("/import, mapped");
        await page.getByRole("button", { name: "Check without writing" }).click();
        await expect(page.locator(".notice")).toContainText(sku ? "Nothing is written yet." : "1 problem");
        await inspect("/import, checked");
      }
      await page.getByRole("button", { name: "Import", exact: true }).click();
      await expect(page.getByRole("heading", { name: "Imported" })).toBeVisible();
      await inspect("/import, done");
      // What was imported has no category.
      await check("/products?search=AXE");
    });
  }
}

test("on a phone the sidebar folds and nothing is wider than the screen", async ({ page, js }) => {
  await page.setViewportSize({ width: 390, height: 800 });
  await signIn(page, js);
  for (const path of ["/orders", "/orders/1", "/orders/new", "/orders/1/print", "/customers", "/products", "/customers/2", "/customers/2/edit", "/import"]) {
    await page.goto(path);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  }
  await page.getByRole("button", { name: "Menu", exact: true }).click();
  await page.getByRole("link", { name: "Products", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Products" })).toBeVisible();
});
