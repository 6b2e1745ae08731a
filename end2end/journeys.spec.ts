// What staff do all day, with JavaScript and without: sign in, create, find, edit, conflict, delete.
import { alive, expect, PASSWORD, signIn, test, unique, watch } from "./support";

test("a stranger is led to sign in, told when it fails, and led back", async ({ page, js }) => {
  await page.goto("/customers?search=caf%C3%A9");
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await page.getByLabel("E-mail").fill("mira@kontor.example");
  await page.getByLabel("Password").fill("wrong");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("is not right");
  await expect(page.getByLabel("E-mail")).toHaveValue("mira@kontor.example");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/customers\?search=caf/);
  await alive(page, js);
  await expect(page.getByRole("link", { name: "Café Lumière" })).toBeVisible();
  await page.getByRole("button", { name: /menu/ }).last().click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/sign-in/);
  await page.goto("/customers");
  await expect(page).toHaveURL(/\/sign-in/);
});

test("a customer is created, found, edited and deleted", async ({ page, js }) => {
  const name = unique("Ärger & <Söhne>");
  await signIn(page, js);
  await page.getByRole("link", { name: /New customer/ }).click();
  await expect(page.getByRole("heading", { name: "New customer" })).toBeVisible();
  await page.getByLabel("E-mail", { exact: true }).fill("nobody");
  await page.getByLabel("Credit limit").fill("1e5");
  await page.getByRole("button", { name: "Create customer" }).click();
  const summary = page.locator("#error-summary");
  await expect(summary).toContainText("Name is required.");
  await expect(page.getByLabel("Credit limit")).toHaveValue("1e5");
  await expect(page.getByLabel("Credit limit")).toHaveAttribute("aria-invalid", "true");
  await page.getByLabel("Name *").fill(name);
  await page.getByLabel("E-mail", { exact: true }).fill("");
  await page.getByLabel("Credit limit").fill("2500");
  await page.getByLabel("Country").first().fill("france");
  await page.getByLabel("Notes").fill("first </textarea> line\nsecond");
  await page.getByRole("button", { name: "Create customer" }).click();
  await expect(page).toHaveURL(/\/customers\/\d+$/);
  await alive(page, js);
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  await expect(page.locator(".facts").getByText("2,500.00")).toBeVisible();
  await expect(page.locator(".facts").getByText("France")).toBeVisible();
  await expect(page).toHaveTitle(`${name} · Kontor`);

  await page.goto("/customers");
  await alive(page, js);
  await page.getByLabel(/^Search name/).fill(name.slice(10));
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page).toHaveURL(/search=/);
  await expect(page.getByText("1–1 of 1")).toBeVisible();
  await page.getByRole("link", { name }).click();
  await page.getByRole("link", { name: /Edit/ }).click();
  await expect(page.getByLabel("Notes")).toHaveValue("first </textarea> line\nsecond");
  await page.getByLabel("Phone", { exact: true }).fill("+33 1 23");
  await page.getByLabel("Active").uncheck();
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("+33 1 23").first()).toBeVisible();
  await expect(page.locator(".head .badge")).toHaveText("Inactive");
  await expect(page.getByText("changed this")).toBeVisible();

  await page.getByRole("link", { name: /Delete/ }).click();
  if (js) {
    await expect(page.getByRole("dialog")).toContainText(name);
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toBeHidden();
    await expect(page.getByRole("link", { name: /Delete/ })).toBeFocused();
    await page.keyboard.press("Enter");
  }
  await page.getByRole("button", { name: "Delete for good" }).click();
  await expect(page).toHaveURL(/\/customers$/);
  await page.goto(`/customers?search=${encodeURIComponent(name.slice(10))}`);
  await expect(page.getByText("No customers match.")).toBeVisible();
});

test("a product is created with an exact price and found by its SKU", async ({ page, js }) => {
  const sku = unique("SKU").replaceAll(" ", "-");
  await signIn(page, js, "mira", "/products/new");
  await page.getByLabel("SKU").fill(sku);
  await page.getByLabel("Name *").fill("Paper clip");
  await page.getByLabel("Unit price").fill("0.0123");
  await page.getByLabel("Category").fill("Office");
  await page.getByRole("button", { name: "Create product" }).click();
  await expect(page).toHaveURL(/\/products\/\d+$/);
  await expect(page.getByText("0.0123").first()).toBeVisible();
  await page.getByLabel("Search everything").fill(sku);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/search\?q=/);
  await page.getByRole("link", { name: "Paper clip" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Paper clip" })).toBeVisible();
});

test("a list sorts, filters and turns its pages by its address", async ({ page, js }) => {
  await signIn(page, js, "vera", "/products?page_size=10");
  await expect(page.getByText(/1–10 of \d+/)).toBeVisible();
  await page.getByRole("link", { name: "Next" }).click();
  await expect(page).toHaveURL(/page=2/);
  await expect(page.getByText(/11–20 of/)).toBeVisible();
  await page.getByRole("link", { name: "Unit price" }).click();
  await expect(page).toHaveURL(/ordering=price/);
  await expect(page.locator("th[aria-sort=ascending]")).toContainText("Unit price");
  await page.getByRole("link", { name: "Unit price" }).click();
  await expect(page.locator("th[aria-sort=descending]")).toContainText("Unit price");
  await page.getByLabel("State").selectOption("false");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page).toHaveURL(/is_active=false/);
  await expect(page).toHaveURL(/ordering=-price/);
  await expect(page.getByRole("link", { name: "Digital scale, 15 kg" })).toBeVisible();
  await page.getByRole("link", { name: /Take the filter Inactive away/ }).click();
  await expect(page).not.toHaveURL(/is_active/);
  await page.goBack();
  await expect(page).toHaveURL(/is_active=false/);
  await expect(page.getByRole("link", { name: /New product/ })).toHaveCount(0);
});

test("two people who edit the same record lose nothing", async ({ page, js, browser }) => {
  const name = unique("Conflict");
  await signIn(page, js, "mira", "/customers/new");
  await page.getByLabel("Name *").fill(name);
  await page.getByRole("button", { name: "Create customer" }).click();
  await expect(page).toHaveURL(/\/customers\/\d+$/);
  const record = page.url();

  const other = await (await browser.newContext({ javaScriptEnabled: js })).newPage();
  const complaints: string[] = [];
  watch(other, complaints);
  await signIn(other, js, "noah", `${new URL(record).pathname}/edit`);
  await page.goto(`${record}/edit`);
  await alive(page, js);
  await other.getByLabel("Phone", { exact: true }).fill("theirs");
  await other.getByRole("button", { name: "Save changes" }).click();
  await expect(other).toHaveURL(record);

  await page.getByLabel("Phone", { exact: true }).fill("mine");
  await page.getByLabel("Tax number").fill("DE1");
  await page.getByRole("button", { name: "Save changes" }).click();
  const notice = page.locator("#error-summary");
  await expect(notice).toContainText("Somebody else saved this meanwhile.");
  await expect(notice.getByRole("row", { name: /Phone/ })).toContainText("mine");
  await expect(notice.getByRole("row", { name: /Phone/ })).toContainText("theirs");
  await expect(page.getByLabel("Phone", { exact: true })).toHaveValue("mine");
  if (js) {
    await page.getByRole("button", { name: "Take the stored value for Phone" }).click();
    await expect(page.getByLabel("Phone", { exact: true })).toHaveValue("theirs");
  }
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page).toHaveURL(record);
  await expect(page.locator(".facts")).toContainText([js ? "theirs" : "mine"]);
  await expect(page.locator(".facts").first()).toContainText("DE1");
  expect(complaints).toEqual([]);
  await other.context().close();
});

test("a double click creates one record", async ({ page, js }) => {
  const name = unique("Double");
  await signIn(page, js, "mira", "/customers/new");
  await page.getByLabel("Name *").fill(name);
  await page.getByRole("button", { name: "Create customer" }).dblclick();
  await expect(page).toHaveURL(/\/customers\/\d+$/);
  await page.goto(`/customers?search=${encodeURIComponent(name)}`);
  await expect(page.getByText("1–1 of 1")).toBeVisible();
});

test("the theme is chosen and stays", async ({ page, js }) => {
  await signIn(page, js);
  await page.getByRole("button", { name: /Mira Anders/ }).click();
  await page.getByRole("button", { name: "Dark" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.goto("/products");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("what is not there is said on a page", async ({ page, js }) => {
  await signIn(page, js);
  expect((await page.goto("/customers/999999"))?.status()).toBe(404);
  await expect(page.getByRole("heading", { name: "Not found" })).toBeVisible();
  expect((await page.goto("/nowhere"))?.status()).toBe(404);
  await expect(page.getByRole("heading", { name: "Not found" })).toBeVisible();
  expect((await page.goto("/customers?ordering=nmae"))?.status()).toBe(400);
  await expect(page.getByText("Did you mean name?")).toBeVisible();
});

test("the API's documentation is readable", async ({ page, js }) => {
  test.skip(!js, "Swagger UI is a program; the document itself is plain JSON");
  await signIn(page, js);
  await page.goto("/api/docs/");
  await expect(page.getByRole("heading", { name: "The first call" })).toBeVisible();
  await page.getByRole("link", { name: "explorer" }).click();
  await expect(page.getByText("/api/customers/", { exact: true }).first()).toBeVisible();
});

test("a filter that was taken away does not come back", async ({ page, js }) => {
  await signIn(page, js, "mira", "/products?sku__startswith=BEV");
  const state = page.getByLabel("State");
  await state.selectOption("Active");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page).toHaveURL(/is_active=true/);
  // What the bar has no control for stays, and can be taken away.
  await expect(page).toHaveURL(/sku__startswith=BEV/);
  await page.getByRole("link", { name: "Take the filter Active away" }).click();
  await expect(page).not.toHaveURL(/is_active=true/);
  await expect(state).toHaveValue("");
  await page.getByRole("link", { name: "Take the filter sku__startswith = BEV away" }).click();
  await expect(page).toHaveURL(/\/products$/);
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page.getByText("1–", { exact: false }).first()).toBeVisible();
  await expect(state).toHaveValue("");
  await expect(page).not.toHaveURL(/is_active=true/);
});

test("working through a narrowed list goes on after each record", async ({ page, js }) => {
  await signIn(page, js, "mira", "/orders?status=placed");
  const rows = page.locator("table.list a.key");
  const second = await rows.nth(1).textContent();
  await rows.first().click();
  await expect(page).toHaveURL(/status=placed&at=1$/);
  await alive(page, js);
  await page.getByRole("button", { name: "Ship" }).click();
  await expect(page.locator(".head .badge")).toHaveText("Shipped");
  await expect(page).toHaveURL(/status=placed&at=1$/);
  await page.getByRole("link", { name: "Next in the list" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(second ?? "");
});
