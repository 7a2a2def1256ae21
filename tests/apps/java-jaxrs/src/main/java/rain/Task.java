package rain;

public class Task {
    public static void main(String[] words) {
        System.out.println("task done " + String.join(" ", words));
    }
}
