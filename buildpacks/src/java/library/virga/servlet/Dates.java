package virga.servlet;

/** Dates as HTTP writes them: `Sun, 06 Nov 1994 08:49:37 GMT`. */
public final class Dates {
    private static final String DAYS = "ThuFriSatSunMonTueWed";
    private static final String MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";

    private Dates() {
    }

    public static String write(long milliseconds) {
        long seconds = Math.floorDiv(milliseconds, 1000L);
        long days = Math.floorDiv(seconds, 86400L);
        int second = (int) Math.floorMod(seconds, 86400L);
        // Years that begin in March have their leap day at the end; an era of 400 of them is always as long.
        long shifted = days + 719468;
        long era = Math.floorDiv(shifted, 146097L);
        int ofEra = (int) (shifted - era * 146097);
        int yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146096) / 365;
        int ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        int fromMarch = (5 * ofYear + 2) / 153;
        int day = ofYear - (153 * fromMarch + 2) / 5 + 1;
        int month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
        long year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
        int weekday = (int) Math.floorMod(days, 7L);
        return DAYS.substring(weekday * 3, weekday * 3 + 3) + ", " + two(day) + " " + MONTHS.substring(month * 3 - 3, month * 3) + " " + year
            + " " + two(second / 3600) + ":" + two(second / 60 % 60) + ":" + two(second % 60) + " GMT";
    }

    private static String two(int number) {
        return (number < 10 ? "0" : "") + number;
    }

    /** The milliseconds of a date in the form above, or -1. */
    public static long read(String text) {
        String[] parts = text.trim().split("[ :]+");
        if (parts.length != 8 || parts[2].length() != 3 || MONTHS.indexOf(parts[2]) % 3 != 0) {
            return -1;
        }
        try {
            int month = MONTHS.indexOf(parts[2]) / 3 + 1;
            long year = Long.parseLong(parts[3]) - (month <= 2 ? 1 : 0);
            long era = Math.floorDiv(year, 400L);
            int yearOfEra = (int) (year - era * 400);
            int ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + Integer.parseInt(parts[1]) - 1;
            long days = era * 146097 + yearOfEra * 365L + yearOfEra / 4 - yearOfEra / 100 + ofYear - 719468;
            long second = Long.parseLong(parts[4]) * 3600 + Long.parseLong(parts[5]) * 60 + Long.parseLong(parts[6]);
            return (days * 86400 + second) * 1000;
        } catch (NumberFormatException wrong) {
            return -1;
        }
    }
}
