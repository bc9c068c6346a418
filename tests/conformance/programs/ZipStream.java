// Whether java.util.zip reads each archive forwards, as from a socket: one line of JSON a file.
// java ZipStream.java FILE...

import java.io.FileInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

public class ZipStream {
    public static void main(String[] args) throws Exception {
        for (String name : args) {
            String said = "[]";
            try (ZipInputStream zip = new ZipInputStream(new FileInputStream(name))) {
                int entries = 0;
                for (ZipEntry entry; (entry = zip.getNextEntry()) != null; entries++)
                    while (zip.read(new byte[65536]) > 0) {}
                if (entries == 0) said = "[\"no entry\"]";
            } catch (Exception error) {
                said = "[\"" + String.valueOf(error).replaceAll("[^ -!#-\\[\\]-~]", "?") + "\"]";
            }
            System.out.println(said);
        }
    }
}
