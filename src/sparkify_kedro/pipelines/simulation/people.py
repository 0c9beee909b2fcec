"""Names, locations and user agents of simulated users."""

from __future__ import annotations

FIRST_NAMES = {
    "F": (
        "Ada", "Bianca", "Chloe", "Dalia", "Elena", "Farah", "Greta", "Hana", "Ines", "Jade", "Keiko", "Lucia", "Maya",
        "Nadia", "Olive", "Priya", "Rosa", "Sofia", "Tessa", "Uma", "Vera", "Willa", "Yara", "Zoe",
    ),
    "M": (
        "Adrian", "Boris", "Caleb", "Dario", "Emil", "Felix", "Goran", "Hugo", "Ivan", "Jonas", "Kenji", "Leo", "Marco",
        "Nils", "Omar", "Pablo", "Quentin", "Ravi", "Simon", "Tomas", "Ugo", "Victor", "Wes", "Yusuf",
    ),
}  # fmt: skip
LAST_NAMES = (
    "Abara", "Becker", "Castillo", "Dimitrov", "Eriksen", "Fontaine", "Gallagher", "Haddad", "Ito", "Jansen", "Kovacs",
    "Lindgren", "Moreau", "Novak", "Okafor", "Petrov", "Quigley", "Rossi", "Sato", "Tanaka", "Underwood", "Vargas",
    "Whitaker", "Yilmaz", "Zhang",
)  # fmt: skip
LOCATIONS = (
    "Albany, NY", "Austin, TX", "Baltimore, MD", "Boise City, ID", "Boston, MA-NH", "Buffalo, NY", "Charlotte, NC-SC",
    "Chicago, IL-IN", "Cleveland, OH", "Dallas, TX", "Denver, CO", "Detroit, MI", "El Paso, TX", "Fresno, CA",
    "Honolulu, HI", "Houston, TX", "Jackson, MS", "Kansas City, MO-KS", "Las Vegas, NV", "Los Angeles, CA", "Miami, FL",
    "Minneapolis, MN-WI", "New York, NY-NJ", "Omaha, NE-IA", "Orlando, FL", "Philadelphia, PA-NJ", "Phoenix, AZ",
    "Portland, OR-WA", "Raleigh, NC", "Reno, NV", "Sacramento, CA", "San Diego, CA", "Seattle, WA", "Spokane, WA",
    "St. Louis, MO-IL", "Tampa, FL", "Tucson, AZ", "Tulsa, OK", "Washington, DC-VA", "Wichita, KS",
)  # fmt: skip
USER_AGENTS = (
    '"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0.1985.143 Safari/537.36"',
    '"Mozilla/5.0 (Windows NT 6.3; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0.1985.125 Safari/537.36"',
    "Mozilla/5.0 (Windows NT 6.1; WOW64; rv:31.0) Gecko/20100101 Firefox/31.0",
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; WOW64; Trident/5.0)",
    '"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0.1985.143 Safari/537.36"',
    '"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.78.2 (KHTML, like Gecko) Version/7.0.6 Safari/537.78.2"',
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.9; rv:31.0) Gecko/20100101 Firefox/31.0",
    '"Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 (KHTML, like Gecko) Version/7.0 Mobile/11D257 Safari/9537.53"',
    '"Mozilla/5.0 (iPad; CPU OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 (KHTML, like Gecko) Version/7.0 Mobile/11D257 Safari/9537.53"',
    '"Mozilla/5.0 (Linux; Android 4.4.4; Nexus 5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0.1985.131 Mobile Safari/537.36"',
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:31.0) Gecko/20100101 Firefox/31.0",
    '"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/36.0.1985.143 Safari/537.36"',
)
