//! What clients call themselves, as of November 2026.

use super::DeviceKind;

/// What Android had before Chrome. Its header differs from Safari's by the system alone.
pub(super) const ANDROID_BROWSER: &str = "Android Browser";
/// An app that shows a site: WebKit, but not Safari.
pub(super) const IOS_WEBVIEW: &str = "iOS WebView";
pub(super) const SAFARI: &str = "Safari";

/// What an operating system tells about the device that it runs on.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Is(DeviceKind),
    /// A phone or a tablet, other words of the header tell which.
    Handheld,
}

// Tables of (needle, name): the first needle that the header says wins, so whoever poses as another
// stands before it. Needles begin with a letter. A version is the number right behind the needle,
// so a needle without its slash has none.

pub(super) const DESKTOP: Form = Form::Is(DeviceKind::Desktop);
pub(super) const CONSOLE: Form = Form::Is(DeviceKind::Console);
pub(super) const MOBILE: Form = Form::Is(DeviceKind::Mobile);
pub(super) const TABLET: Form = Form::Is(DeviceKind::Tablet);
pub(super) const TV: Form = Form::Is(DeviceKind::Tv);
pub(super) const ANY: Form = Form::Is(DeviceKind::Unknown);

pub(super) const SYSTEMS: &[(&str, &str, Form)] = &[
    ("Xbox", "Xbox", CONSOLE),
    ("PlayStation", "PlayStation", CONSOLE),
    ("Nintendo Switch", "Nintendo Switch", CONSOLE),
    ("OculusBrowser/", "Meta Horizon OS", ANY),
    ("Windows Phone", "Windows Phone", MOBILE),
    ("AppleTV", "tvOS", TV),
    ("Apple TV", "tvOS", TV),
    ("Roku", "Roku OS", TV),
    ("Web0S", "webOS", TV),
    ("webOS", "webOS", TV),
    ("Tizen", "Tizen", Form::Handheld),
    ("KAIOS", "KaiOS", MOBILE),
    ("Kindle/", "Kindle", TABLET),
    ("iPhone", "iOS", MOBILE),
    ("iPod", "iOS", MOBILE),
    ("iPad", "iPadOS", TABLET),
    // Browsers that only exist there, asking for a site's desktop version: most often on an iPad.
    ("CriOS/", "iPadOS", TABLET),
    ("EdgiOS/", "iPadOS", TABLET),
    ("FxiOS/", "iPadOS", TABLET),
    ("PC; OpenHarmony", "HarmonyOS", DESKTOP),
    ("OpenHarmony", "HarmonyOS", Form::Handheld),
    ("HarmonyOS", "HarmonyOS", Form::Handheld),
    ("Android", "Android", Form::Handheld),
    ("CrOS", "ChromeOS", DESKTOP),
    ("Windows", "Windows", DESKTOP),
    ("Macintosh", "macOS", DESKTOP),
    ("Mac OS X", "macOS", DESKTOP),
    ("macOS", "macOS", DESKTOP),
    // Poses as Linux in a phone's desktop mode and on a phone's external screen.
    ("SamsungBrowser/", "Android", ANY),
    ("FreeBSD", "FreeBSD", DESKTOP),
    ("OpenBSD", "OpenBSD", DESKTOP),
    ("NetBSD", "NetBSD", DESKTOP),
    ("Fuchsia", "Fuchsia", ANY),
    ("Linux", "Linux", DESKTOP),
    ("X11", "Linux", DESKTOP),
    // No name, but a phone.
    ("Mobile", "", MOBILE),
];

pub(super) const PHONES: &[&str] = &["Mobile", "Opera Mini/", "Opera Mobi/"];

/// Words of televisions whose operating system is also found elsewhere. Amazon's models begin with
/// `AFT`.
pub(super) const TELEVISIONS: &[&str] = &[
    "AFT",
    "Android TV",
    "BRAVIA",
    "CrKey/",
    "GoogleTV",
    "HbbTV/",
    "MiTV",
    "NetCast",
    "SMART-TV",
    "Smart TV",
    "SmartTV",
    "TV Safari/",
    "VIDAA",
];

pub(super) const BOTS: &[(&str, &str)] = &[
    ("AdsBot-Google", "AdsBot"),
    ("AhrefsBot/", "AhrefsBot"),
    ("Amazonbot/", "Amazonbot"),
    ("Applebot", "Applebot"),
    ("Baiduspider", "Baiduspider"),
    ("bingbot/", "Bingbot"),
    ("Bytespider", "Bytespider"),
    ("CCBot/", "CCBot"),
    ("ChatGPT-User/", "ChatGPT"),
    ("Discordbot/", "Discordbot"),
    ("DuckDuckBot", "DuckDuckBot"),
    ("facebookexternalhit/", "facebookexternalhit"),
    ("Google-InspectionTool/", "Googlebot"),
    ("Googlebot", "Googlebot"),
    ("GoogleOther", "Googlebot"),
    ("GPTBot/", "GPTBot"),
    ("HeadlessChrome/", "Headless Chrome"),
    ("Lighthouse", "Lighthouse"),
    ("LinkedInBot/", "LinkedInBot"),
    ("Mediapartners-Google", "Googlebot"),
    ("meta-externalagent/", "meta-externalagent"),
    ("OAI-SearchBot/", "OAI-SearchBot"),
    ("PerplexityBot/", "PerplexityBot"),
    ("PetalBot", "PetalBot"),
    ("PhantomJS/", "PhantomJS"),
    ("Pingdom", "Pingdom"),
    ("SemrushBot", "SemrushBot"),
    ("Slackbot", "Slackbot"),
    ("TelegramBot", "TelegramBot"),
    ("Twitterbot/", "Twitterbot"),
    ("UptimeRobot/", "UptimeRobot"),
    ("WhatsApp/", "WhatsApp"),
    ("YandexBot/", "YandexBot"),
];

pub(super) const TOOLS: &[(&str, &str)] = &[
    ("aiohttp/", "aiohttp"),
    ("Apache-HttpClient/", "Apache HttpClient"),
    ("axios/", "axios"),
    ("Bun/", "Bun"),
    ("curl/", "curl"),
    ("Dart/", "Dart"),
    ("Deno/", "Deno"),
    ("Faraday v", "Faraday"),
    // Its number is the version of HTTP.
    ("Go-http-client", "Go"),
    ("got (", "got"),
    ("GuzzleHttp/", "Guzzle"),
    ("HTTPie/", "HTTPie"),
    ("httpx/", "httpx"),
    ("hyper/", "hyper"),
    ("insomnia/", "Insomnia"),
    ("Java/", "Java"),
    ("Java-http-client/", "Java"),
    ("k6/", "k6"),
    ("libwww-perl/", "libwww-perl"),
    ("node", "Node.js"),
    ("okhttp/", "okhttp"),
    ("PostmanRuntime/", "Postman"),
    ("PowerShell/", "PowerShell"),
    ("WindowsPowerShell/", "PowerShell"),
    ("python-requests/", "python-requests"),
    ("Python-urllib/", "Python"),
    ("python-urllib3/", "urllib3"),
    ("reqwest/", "reqwest"),
    ("Scrapy/", "Scrapy"),
    ("undici", "Node.js"),
    ("ureq/", "ureq"),
    ("Wget/", "Wget"),
];

pub(super) const BROWSERS: &[(&str, &str)] = &[
    // Apps with a browser in them, before the browser.
    ("FBAN/Messenger", "Messenger"),
    ("FB_IAB/Orca", "Messenger"),
    ("Instagram ", "Instagram"),
    ("FBAN/", "Facebook"),
    ("FB_IAB/", "Facebook"),
    ("BytedanceWebview/", "TikTok"),
    ("musical_ly", "TikTok"),
    ("GSA/", "Google app"),
    ("KAKAOTALK", "KakaoTalk"),
    ("Line/", "LINE"),
    ("LinkedInApp", "LinkedIn"),
    ("MicroMessenger/", "WeChat"),
    ("Pinterest/", "Pinterest"),
    ("Snapchat/", "Snapchat"),
    ("Twitter for ", "X"),
    ("TwitterAndroid", "X"),
    ("Electron/", "Electron"),
    // Relatives of Chrome and Safari. The numbers of DuckDuckGo and GNOME Web are not theirs.
    ("OculusBrowser/", "Meta Quest Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Ddg", "DuckDuckGo"),
    ("DuckDuckGo", "DuckDuckGo"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("OPX/", "Opera"),
    ("Brave/", "Brave"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("UCBrowser/", "UC Browser"),
    ("HeyTapBrowser/", "HeyTap Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("LG Browser/", "LG Browser"),
    ("MiuiBrowser/", "Mi Browser"),
    ("MQQBrowser/", "QQ Browser"),
    ("QQBrowser/", "QQ Browser"),
    ("VivoBrowser/", "vivo Browser"),
    ("Whale/", "Whale"),
    ("Silk/", "Amazon Silk"),
    ("Epiphany", "GNOME Web"),
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    // Relatives of Firefox.
    ("Focus/", "Firefox Focus"),
    ("Klar/", "Firefox Focus"),
    ("PaleMoon/", "Pale Moon"),
    ("SeaMonkey/", "SeaMonkey"),
    ("Waterfox/", "Waterfox"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    // Opera and Internet Explorer as they once were.
    ("Opera Mini/", "Opera Mini"),
    ("Opera/", "Opera"),
    ("IEMobile/", "Internet Explorer"),
    ("MSIE ", "Internet Explorer"),
    ("Trident/", "Internet Explorer"),
    // Those that everybody poses as.
    ("wv)", "Android WebView"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", SAFARI),
    ("AppleWebKit", IOS_WEBVIEW),
];

/// Needles whose version is not right behind them, and what it is behind.
pub(super) const VERSIONS_ELSEWHERE: &[(&str, &str)] = &[
    ("FBAN/", "FBAV/"),
    ("FBAN/Messenger", "FBAV/"),
    ("FB_IAB/", "FBAV/"),
    ("FB_IAB/Orca", "FBAV/"),
    ("Opera/", "Version/"),
    ("Safari/", "Version/"),
    ("Trident/", "rv:"),
    ("wv)", "Chrome/"),
];
