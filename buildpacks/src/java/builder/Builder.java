import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.TreeSet;
import java.util.jar.JarFile;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Label;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;
import org.teavm.diagnostics.Problem;
import org.teavm.tooling.ConsoleTeaVMToolLog;
import org.teavm.tooling.EmptyTeaVMToolLog;
import org.teavm.tooling.TeaVMProblemRenderer;
import org.teavm.tooling.TeaVMTargetType;
import org.teavm.tooling.TeaVMTool;
import org.teavm.vm.TeaVMOptimizationLevel;

/**
 * Translates the classes of an app to C. usage: Builder TOOLCHAIN WORK MAIN WEB_XML FILES APP_CLASSES [LIBRARY_JAR...]
 * MAIN is the main classes with commas between them, the one that serves first, or - in its place to have it found. WEB_XML may be -, as
 * may FILES, the folder of the program where the files of a web app are.
 * Leaves WORK/c, and WORK/main with the name of the first.
 */
public final class Builder {
    private static final long LEAST_HEAP_MB = 4;
    private static final int MOST_HEAP_MB = 1024;
    /** The main class that is written for an app of servlets. */
    private static final String WEB = "VirgaWeb";

    private Builder() {
    }

    public static void main(String[] words) throws Exception {
        Path toolchain = Path.of(words[0]);
        Path work = Path.of(words[1]);
        List<Path> app = new ArrayList<>();
        for (int i = 5; i < words.length; i++) {
            app.add(Path.of(words[i]));
        }
        Path made = Files.createDirectories(work.resolve("made"));
        List<byte[]> classes = Classes.of(app.get(0));
        List<String> mains = new ArrayList<>(List.of(words[2].split(",")));
        try {
            if (mains.get(0).equals("-")) {
                findWeb(classes, words[3], words[4], app, toolchain, made, mains);
            }
        } catch (IllegalArgumentException refused) {
            System.err.println(refused.getMessage());
            System.exit(2);
        }
        Files.writeString(work.resolve("main"), mains.get(0));
        writeStart(made, mains);
        List<Path> all = new ArrayList<>(List.of(made, toolchain.resolve("library")));
        all.addAll(app);
        translate(all, work.resolve("c"));
        try (Stream<Path> sources = Files.list(toolchain.resolve("native"))) {
            for (Path source : sources.sorted().toList()) {
                Files.write(work.resolve("c").resolve(source.getFileName()), Files.readAllBytes(source));
            }
        }
    }

    private static void translate(List<Path> classPath, Path out) throws Exception {
        TeaVMTool tool = new TeaVMTool();
        tool.setTargetType(TeaVMTargetType.C);
        tool.setMainClass("virga.Host");
        tool.setEntryPointName("teavm_main");
        tool.setClassLoader(new AppFirst(classPath));
        tool.setTargetDirectory(out.toFile());
        tool.setTargetFileName("");
        tool.setOptimizationLevel(TeaVMOptimizationLevel.ADVANCED);
        tool.setObfuscated(false);
        tool.setDebugInformationGenerated(true);
        tool.setShortFileNames(true);
        tool.setMinHeapSize((int) (LEAST_HEAP_MB << 20));
        tool.setMaxHeapSize(MOST_HEAP_MB << 20);
        tool.setLog(new EmptyTeaVMToolLog());
        tool.generate();
        List<Problem> problems = tool.getProblemProvider().getSevereProblems();
        if (!problems.isEmpty()) {
            var calls = tool.getDependencyInfo().getCallGraph();
            TeaVMProblemRenderer.describeProblems(calls, tool.getProblemProvider(), new ConsoleTeaVMToolLog(false));
            System.exit(3);
        }
    }

    /** Puts what serves first: the container of the app's servlets and resources, or the one class that has a main. */
    private static void findWeb(List<byte[]> classes, String webXml, String files, List<Path> app, Path toolchain, Path made,
        List<String> mains) throws Exception {
        TreeSet<String> found = new TreeSet<>();
        Types types = new Types(classes, new AppFirst(withLibrary(app, toolchain)));
        Opened opened = new Opened(types);
        Resources resources = new Resources(types, opened);
        Servlets servlets = new Servlets();
        for (byte[] one : classes) {
            if (hasMain(one)) {
                found.add(new ClassReader(one).getClassName().replace('/', '.'));
            }
            servlets.scan(one);
        }
        if (!webXml.equals("-")) {
            servlets.read(Path.of(webXml));
        }
        if (!servlets.isEmpty() || !resources.isEmpty()) {
            classes.forEach(Refused::check);
            String source = "";
            String statements = "";
            if (!resources.isEmpty()) {
                String patterns = Servlets.array(resources.patterns(servlets));
                source = resources.source();
                statements = "        container.servlet(\"resources\", new VirgaRest(), 0, " + patterns + ", new String[0]);\n";
                opened.write(made);
            }
            writeWeb(servlets.source(files) + statements, source, withLibrary(app, toolchain), toolchain, made);
            mains.set(0, WEB);
            found.removeAll(mains);
            mains.addAll(found);
        } else {
            String named = mainOfJar(app.get(0));
            mains.set(0, named != null ? named : onlyMain(found));
        }
    }

    private static String mainOfJar(Path place) throws IOException {
        Path manifest = place.resolve("META-INF/MANIFEST.MF");
        Manifest read = null;
        if (Files.isRegularFile(manifest)) {
            try (InputStream in = Files.newInputStream(manifest)) {
                read = new Manifest(in);
            }
        } else if (!Files.isDirectory(place)) {
            try (JarFile jar = new JarFile(place.toFile())) {
                read = jar.getManifest();
            }
        }
        String named = read == null ? null : read.getMainAttributes().getValue("Main-Class");
        return named == null ? null : named.trim();
    }

    private static String onlyMain(TreeSet<String> found) {
        if (found.size() == 1) {
            return found.first();
        }
        throw new IllegalArgumentException(found.isEmpty()
            ? "no class of the app has a 'public static void main(String[])', and none is a servlet (jakarta.servlet, @WebServlet) or a"
                + " resource (jakarta.ws.rs, @Path)"
            : "the app has several classes with a main (" + String.join(", ", found) + "); name one in a Procfile: web: java "
                + found.first());
    }

    private static List<Path> withLibrary(List<Path> app, Path toolchain) {
        List<Path> all = new ArrayList<>(List.of(toolchain.resolve("library")));
        all.addAll(app);
        return all;
    }

    /** Writes and compiles the main class of an app that is servlets or resources; what is there already is put before the app. */
    private static void writeWeb(String statements, String others, List<Path> app, Path toolchain, Path made) throws IOException {
        Path source = made.resolve(WEB + ".java");
        Files.writeString(source, "public final class " + WEB + " {\n    public static void main(String[] words) throws Exception {\n"
            + "        var container = new virga.servlet.Container();\n" + statements + "        container.start(words);\n    }\n}\n\n" + others);
        List<String> paths = new ArrayList<>(List.of(made.toString(), app.get(0).toString()));
        try (Stream<Path> jars = Files.list(toolchain.resolve("jars"))) {
            jars.map(Path::toString).sorted().forEach(paths::add);
        }
        app.stream().skip(1).forEach(path -> paths.add(path.toString()));
        String classPath = String.join(File.pathSeparator, paths);
        int status = ToolProvider.getSystemJavaCompiler().run(null, null, null, "-proc:none", "-nowarn", "-encoding", "UTF-8", "-cp", classPath,
            "-d", made.toString(), source.toString());
        if (status != 0) {
            throw new IllegalArgumentException("a servlet, filter, listener or resource must be a public class with a public constructor"
                + " that takes nothing; the compiler's words stand above");
        }
    }

    private static boolean hasMain(byte[] bytes) {
        boolean[] found = new boolean[1];
        new ClassReader(bytes).accept(new ClassVisitor(Opcodes.ASM9) {
            @Override
            public MethodVisitor visitMethod(int access, String name, String descriptor, String signature, String[] thrown) {
                int wanted = Opcodes.ACC_PUBLIC | Opcodes.ACC_STATIC;
                found[0] |= name.equals("main") && descriptor.equals("([Ljava/lang/String;)V") && (access & wanted) == wanted;
                return null;
            }
        }, ClassReader.SKIP_CODE | ClassReader.SKIP_DEBUG);
        return found[0];
    }

    /** The class that stands between the edge and the app's main classes. */
    private static void writeStart(Path into, List<String> mains) throws IOException {
        ClassWriter out = new ClassWriter(ClassWriter.COMPUTE_MAXS);
        // A version whose code needs no stack map frames.
        out.visit(Opcodes.V1_6, Opcodes.ACC_PUBLIC | Opcodes.ACC_FINAL, "virga/Start", null, "java/lang/Object", null);
        String descriptor = "(Ljava/lang/String;[Ljava/lang/String;)V";
        MethodVisitor code = out.visitMethod(Opcodes.ACC_PUBLIC | Opcodes.ACC_STATIC, "main", descriptor, null, null);
        code.visitCode();
        Label serves = new Label();
        code.visitVarInsn(Opcodes.ALOAD, 0);
        code.visitJumpInsn(Opcodes.IFNULL, serves);
        for (String main : mains) {
            Label next = new Label();
            code.visitLdcInsn(main);
            code.visitVarInsn(Opcodes.ALOAD, 0);
            code.visitMethodInsn(Opcodes.INVOKEVIRTUAL, "java/lang/String", "equals", "(Ljava/lang/Object;)Z", false);
            code.visitJumpInsn(Opcodes.IFEQ, next);
            call(code, main);
            code.visitLabel(next);
        }
        code.visitTypeInsn(Opcodes.NEW, "java/lang/ClassNotFoundException");
        code.visitInsn(Opcodes.DUP);
        code.visitVarInsn(Opcodes.ALOAD, 0);
        code.visitLdcInsn(" (a command can name " + String.join(", ", mains) + "; name others in the Procfile, so that they are built in)");
        code.visitMethodInsn(Opcodes.INVOKEVIRTUAL, "java/lang/String", "concat", "(Ljava/lang/String;)Ljava/lang/String;", false);
        code.visitMethodInsn(Opcodes.INVOKESPECIAL, "java/lang/ClassNotFoundException", "<init>", "(Ljava/lang/String;)V", false);
        code.visitInsn(Opcodes.ATHROW);
        code.visitLabel(serves);
        call(code, mains.get(0));
        code.visitMaxs(0, 0);
        code.visitEnd();
        out.visitEnd();
        Files.createDirectories(into.resolve("virga"));
        Files.write(into.resolve("virga/Start.class"), out.toByteArray());
    }

    private static void call(MethodVisitor code, String main) {
        code.visitVarInsn(Opcodes.ALOAD, 1);
        code.visitMethodInsn(Opcodes.INVOKESTATIC, main.replace('.', '/'), "main", "([Ljava/lang/String;)V", false);
        code.visitInsn(Opcodes.RETURN);
    }

    /** Looks into the app and our library before the JDK and the translator's own class library. */
    private static final class AppFirst extends URLClassLoader {
        AppFirst(List<Path> paths) throws IOException {
            super(urls(paths), Builder.class.getClassLoader());
        }

        private static URL[] urls(List<Path> paths) throws IOException {
            URL[] urls = new URL[paths.size()];
            for (int i = 0; i < urls.length; i++) {
                urls[i] = paths.get(i).toUri().toURL();
            }
            return urls;
        }

        @Override
        public URL getResource(String name) {
            URL own = findResource(name);
            return own != null ? own : super.getResource(name);
        }

        @Override
        public Enumeration<URL> getResources(String name) throws IOException {
            List<URL> all = new ArrayList<>(Collections.list(findResources(name)));
            for (URL url : Collections.list(getParent().getResources(name))) {
                all.add(url);
            }
            return Collections.enumeration(all);
        }
    }
}
