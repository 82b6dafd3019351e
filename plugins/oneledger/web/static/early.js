// Before anything is drawn: light or dark, and inside Airflow its language and theme.
(function () {
  var root = document.documentElement;
  var inside = window.top !== window.self;
  var read = function (name) { try { return window.localStorage.getItem(name); } catch (error) { return null; } };
  var theme = inside ? read("theme") : read("oneledger_theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  if (!inside) return;
  var wished = (read("i18nextLng") || "").toLowerCase().indexOf("zh") === 0 ? "zh" : "en";
  var shown = root.lang.indexOf("zh") === 0 ? "zh" : "en";
  if (read("i18nextLng") && wished !== shown && !new URLSearchParams(window.location.search).has("lang")) {
    document.cookie = "oneledger_language=" + wished + "; path=/; max-age=31536000; samesite=lax";
    if (document.cookie.indexOf("oneledger_language=" + wished) >= 0) window.location.reload();
  }
  window.addEventListener("storage", function (event) {
    if (event.key === "i18nextLng" || event.key === "theme") window.location.reload();
  });
})();
